"""The console over HTTP: on a port of its own, in a gate, mounted, under ASGI and WSGI."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any
from wsgiref.validate import validator

import httpx
import psycopg
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from corehost.asgi import ReadinessGate
from corehost.console import AsgiConsole, WsgiConsole
from corehost.console.server import ConsoleServer
from corehost.core.errors import ConfigurationError
from corehost.core.namespace import lock_key
from corehost.host import Host
from corehost.wsgi import ReadinessGate as WsgiGate
from support.packages import OWN_GROUP
from support.processes import PATIENCE, Processes, wait_until
from support.serving import uvicorn_server, wsgi_server

TOKEN = "a token of some length"


class Counted:
    """A host on an empty database that counts its connections."""

    def __init__(self, database: str, **settings: Any):
        self.opened: list[psycopg.Connection[Any]] = []
        """Every connection that was opened."""
        given = {"plugin_groups": [OWN_GROUP], "migration_groups": [], "allow_empty": True, **settings}
        self.host = Host.from_config(connect=self._open, **given)
        self._database = database

    def _open(self) -> psycopg.Connection[Any]:
        self.opened.append(psycopg.connect(self._database, autocommit=True))
        return self.opened[-1]


@pytest.fixture
def counted(database: str) -> Counted:
    """A host on an empty database, nothing installed."""
    return Counted(database)


@pytest.fixture
def served(counted: Counted) -> Iterator[httpx.Client]:
    """The console on a port of its own."""
    with ConsoleServer(counted.host, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        with httpx.Client(base_url=server.url, timeout=PATIENCE) as client:
            yield client
        server.shutdown()
        thread.join()


async def application(scope: Any, receive: Any, send: Any) -> None:
    """An ASGI application that nobody reaches."""
    raise AssertionError(scope)


def wsgi_application(environ: Any, start_response: Any) -> list[bytes]:
    """A WSGI application that nobody reaches."""
    raise AssertionError(environ)


def events(client: httpx.Client, path: str, *, enough: int = 1, **headers: str) -> list[dict[str, Any]]:
    """The first changes of a stream of events, each with its id and data."""
    found: list[dict[str, Any]] = []
    with client.stream("GET", path, headers=headers) as response:
        assert response.headers["Content-Type"].startswith("text/event-stream")
        name = identifier = ""
        for line in response.iter_lines():
            key, _, value = line.partition(": ")
            if key == "event":
                name = value
            elif key == "id":
                identifier = value
            elif key == "data":
                found.append({"event": name, "id": identifier, **json.loads(value)})
                if len(found) == enough:
                    break
    return found


@pytest.mark.parametrize("path", ["/", "/events", "/console.css", "/console.js", "/nowhere"])
def test_every_answer_is_locked_down(served: httpx.Client, path: str) -> None:
    """Each response may be framed by nobody, runs nothing but the page's own files, and is kept nowhere."""
    headers = served.head(path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Cache-Control"] == "no-store"
    assert "Python" not in headers.get("Server", "")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_it_is_read_only(served: httpx.Client, method: str) -> None:
    """Nothing but GET and HEAD is answered."""
    response = served.request(method, "/")
    assert (response.status_code, response.headers["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    "query", ["before=0", "before=x", "before=99999999999999999999", "refresh=-1", "branch=a%00b"]
)
def test_a_wrong_question_is_told(served: httpx.Client, query: str) -> None:
    """A number that is none, or a text that no database has, gets a 400 that names it."""
    response = served.get(f"/?{query}")
    assert response.status_code == 400
    assert query.partition("=")[0] in response.text


def test_what_is_asked_for_is_no_markup(served: httpx.Client) -> None:
    """A branch of a strange name is shown as text."""
    response = served.get("/", params={"branch": '"><script>alert(1)</script>'})
    assert response.status_code == 200
    assert "<script>alert" not in response.text


def test_other_names_than_localhost_are_refused(served: httpx.Client) -> None:
    """Without a token a page of another name, made to lead to this machine, cannot read the console."""
    assert served.get("/", headers={"Host": "console.example"}).status_code == 421
    assert served.get("/", headers={"Host": "localhost:8090"}).status_code == 200


def test_the_first_event_has_all_the_next_only_what_changed(
    served: httpx.Client, counted: Counted, database: str
) -> None:
    """A stream begins with the whole page; a change brings the parts that differ."""
    first, second = [], threading.Event()

    def change() -> None:
        second.wait(PATIENCE)
        Host.from_config(
            database_url=database, plugin_groups=[OWN_GROUP], migration_groups=[], allow_empty=True
        ).migrate()

    thread = threading.Thread(target=change)
    thread.start()
    with served.stream("GET", "/events") as response:
        for line in response.iter_lines():
            if line.startswith('data: {"parts"'):
                first.append(json.loads(line.removeprefix("data: ")))
                second.set()
                if first[-1]["states"][""] == "Ready":
                    break
    thread.join()
    assert {"banner", "picture", "branches", "history"} <= first[0]["parts"].keys()
    assert "revisions" not in first[-1]["parts"]
    assert first[-1]["parts"].keys() < first[0]["parts"].keys()


def test_a_reader_that_has_all_gets_nothing_again(
    served: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who comes back with the id that it was sent last hears that the server lives, and no more."""
    monkeypatch.setattr("corehost.console.blocking.BEAT", 0.2)
    (first,) = events(served, "/events")
    (again,) = events(served, "/events", **{"Last-Event-ID": first["id"]})
    assert (first["event"], again["event"]) == ("change", "beat")


def test_one_connection_serves_all_readers_and_is_given_back(
    served: httpx.Client, counted: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many watch, one thread reads on one connection; when the last has left both end."""
    monkeypatch.setattr("corehost.console.blocking.BEAT", 0.2)
    monkeypatch.setattr("corehost.console.feed._LINGER", 0.1)
    before = set(threading.enumerate())
    with httpx.Client(base_url=served.base_url, timeout=PATIENCE) as other:
        streams = [client.stream("GET", "/events") for client in (served, other) for _ in range(5)]
        for stream in streams:
            assert stream.__enter__().status_code == 200
        new = set(threading.enumerate()) - before
        threads = [thread for thread in new if thread.name == "corehost-console"]
        assert (len(threads), len(counted.opened)) == (1, 1)
        for stream in streams:
            stream.__exit__(None, None, None)
    wait_until(lambda: not threads[0].is_alive())
    assert counted.opened[0].closed


def test_a_database_that_is_away_is_told_and_what_was_seen_stays(counted: Counted) -> None:
    """A page says why nothing can be read, without the address; it needs no database to be served."""
    away = Counted("postgresql://me:hunter2@127.0.0.1:1/nothing")
    with uvicorn_server(AsgiConsole(away.host)) as client:
        response = client.get("/")
    assert response.status_code == 200
    assert "cannot be reached" in response.text
    assert "hunter2" not in response.text


def test_the_gate_shows_it_before_the_host_is_ready(database: str) -> None:
    """In a gate the console is there from the first moment on, while the application is still refused."""
    host = Counted(database, wait_timeout="1min").host
    with psycopg.connect(database, autocommit=True) as blocker:
        blocker.execute("SELECT pg_advisory_lock(%s)", [lock_key("corehost")])
        with uvicorn_server(ReadinessGate(application, host, console="/corehost")) as client:
            redirected = client.get("/corehost?refresh=5")
            assert (redirected.status_code, redirected.headers["Location"]) == (308, "corehost/?refresh=5")
            page = client.get("/corehost/")
            assert (page.status_code, client.get("/orders").status_code) == (200, 503)
            assert "Migrating" in page.text
            assert client.get("/corehost/console.css").status_code == 200
            assert client.get("/corehosts").status_code == 503
            blocker.execute("SELECT pg_advisory_unlock_all()")


def test_a_gate_has_none_unless_asked(database: str) -> None:
    """The console is off by default."""
    with uvicorn_server(ReadinessGate(application, Counted(database).host)) as client:
        assert client.get("/corehost/").status_code == 503


@pytest.mark.parametrize("path", ["corehost", "/", "/corehost/", "/health"])
def test_a_path_that_cannot_be_is_refused(database: str, path: str) -> None:
    """Without a slash before it, with one behind it, or taken already: the gate is not made."""
    with pytest.raises(ConfigurationError, match=r"console"):
        ReadinessGate(application, Counted(database).host, console=path)


def test_it_can_be_mounted_in_a_framework(counted: Counted) -> None:
    """Below a path of Starlette's it finds its own, and has its files there."""
    app = Starlette(routes=[Mount("/ops/database", app=AsgiConsole(counted.host))])
    with uvicorn_server(app) as client:
        assert "<h1" in client.get("/ops/database/").text
        assert client.get("/ops/database/console.js").status_code == 200
        assert client.get("/ops/database/nowhere").status_code == 404


def test_under_wsgi_no_worker_is_kept(counted: Counted) -> None:
    """A WSGI worker answers a request for events at once, with what is new, and when to ask again."""
    gate = WsgiGate(wsgi_application, counted.host, console="/corehost")
    with wsgi_server(validator(gate)) as client:
        assert "<h1" in client.get("/corehost/").text
        response = client.get("/corehost/events")
    gate.stop()
    assert response.headers["Content-Length"] == str(len(response.content))
    assert response.text.startswith("retry: 2000\n\nid: ")


def test_a_plain_wsgi_server_can_mount_it(counted: Counted) -> None:
    """The WSGI application redirects to its own page, relative, whatever the path in front of it."""
    with wsgi_server(validator(WsgiConsole(counted.host, path="/ops"))) as client:
        assert client.get("/ops").headers["Location"] == "ops/"
        assert client.get("/ops/").status_code == 200


def test_more_readers_than_there_is_room_for_come_again(counted: Counted) -> None:
    """A stream too many is answered at once and told to come again, and the others are kept."""
    with (
        uvicorn_server(AsgiConsole(counted.host, streams=1)) as client,
        client.stream("GET", "/events") as kept,
    ):
        assert kept.status_code == 200
        began = client.get("/events").text
        assert began.startswith("retry: 2000\n\n")


def test_a_server_that_ends_waits_for_no_stream_for_long(
    counted: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream ends by itself, so that a server which lets open responses finish comes to its end."""
    monkeypatch.setattr("corehost.console.events._LIFE", 1.0)
    with httpx.Client(timeout=PATIENCE) as watching:
        with uvicorn_server(AsgiConsole(counted.host)) as client:
            stream = watching.stream("GET", client.base_url.join("/events"))
            lines = stream.__enter__().iter_lines()
            assert next(lines).startswith("retry: ")
        assert "event: beat" in list(lines)
        stream.__exit__(None, None, None)


def test_without_the_token_nothing_is_shown(database: str) -> None:
    """Page, events and files ask for the token; a bearer's and a password are the same."""
    host = Counted(database, health_token=TOKEN).host
    with uvicorn_server(AsgiConsole(host)) as client:
        for path in ("/", "/events", "/console.js"):
            refused = client.get(path)
            assert refused.status_code == 401
            assert refused.headers.get_list("WWW-Authenticate")[0].startswith("Basic ")
        assert client.get("/", headers={"Authorization": "Bearer wrong"}).status_code == 401
        assert client.get("/", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
        assert client.get("/", auth=("anybody", TOKEN)).status_code == 200


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.0.2.1"])
def test_the_command_is_not_open_to_others_without_a_token(processes: Processes, address: str) -> None:
    """On an address that others reach it refuses to serve without a token, and says what to do."""
    finished = processes.run("console", "--address", address)
    assert finished.returncode == 2
    assert "COREHOST_HEALTH_TOKEN" in finished.stderr


def test_the_command_says_that_a_port_is_taken(processes: Processes, served: httpx.Client) -> None:
    """A port that somebody has is an error of one line."""
    finished = processes.run("console", "--port", str(served.base_url.port))
    assert finished.returncode == 2
    assert f"port {served.base_url.port}" in finished.stderr
