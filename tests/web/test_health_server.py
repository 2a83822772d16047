"""The health server of a process that serves no HTTP."""

from __future__ import annotations

import socket

import httpx
import pytest

from corehost.core.results import Readiness
from corehost.web.server import HealthServer
from support.serving import BlockingHost

HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


def get(server: HealthServer, path: str, method: str = "GET") -> httpx.Response:
    """One request to the server, by a client of its own."""
    return httpx.request(method, f"http://127.0.0.1:{server.port}{path}")


@pytest.mark.parametrize("path", ["/health", "/readyz"])
def test_it_reports_the_host(host: BlockingHost, path: str) -> None:
    """503 with Retry-After before the host is ready and 200 after, without a try to start it."""
    with HealthServer(host, port=0, address="127.0.0.1") as server:
        early = get(server, path)
        host.say(ready=True, state="ready")
        late = get(server, path)
    assert (early.status_code, early.headers["Retry-After"]) == (503, "1")
    assert (late.status_code, late.json()["state"]) == (200, "ready")
    assert host.starts == 0


def test_it_is_alive(host: BlockingHost) -> None:
    """/livez answers 200 although the host is not ready."""
    with HealthServer(host, port=0, address="127.0.0.1") as server:
        assert get(server, "/livez?verbose").status_code == 200


def test_it_knows_no_other_path(host: BlockingHost) -> None:
    """What is no endpoint, or is switched off, is not found."""
    with HealthServer(host, port=0, address="127.0.0.1", health=None) as server:
        assert get(server, "/").status_code == 404
        assert get(server, "/health").status_code == 404


@pytest.mark.parametrize("method", ["POST", "DELETE", "OPTIONS", "BREW"])
def test_it_refuses_other_methods(host: BlockingHost, method: str) -> None:
    """Any method but GET and HEAD gets 405, known to the standard library or not."""
    with HealthServer(host, port=0, address="127.0.0.1") as server:
        assert get(server, "/readyz", method).status_code == 405


def test_head_has_no_body(host: BlockingHost) -> None:
    """HEAD answers as GET does, without the body."""
    with HealthServer(host, port=0, address="127.0.0.1") as server:
        response = get(server, "/readyz", "HEAD")
    assert (response.status_code, response.content) == (503, b"")


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [("/livez", "GET", 200), ("/health", "GET", 503), ("/", "GET", 404), ("/livez", "POST", 405)],
)
def test_every_answer_is_for_its_reader_only(host: BlockingHost, path: str, method: str, status: int) -> None:
    """Nothing keeps an answer, and no browser makes anything else of it than it is."""
    with HealthServer(host, port=0, address="127.0.0.1") as server:
        response = get(server, path, method)
    assert response.status_code == status
    assert HEADERS.items() <= dict(response.headers).items()


def test_a_client_that_says_nothing_holds_up_nobody(host: BlockingHost) -> None:
    """A connection without a request does not keep others from their answer."""
    with (
        HealthServer(host, port=0, address="127.0.0.1") as server,
        socket.create_connection(("127.0.0.1", server.port)),
    ):
        assert get(server, "/livez").status_code == 200


def families() -> list[socket.AddressFamily]:
    """The kinds of addresses that this machine has a loopback for."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return [socket.AF_INET]
    return [socket.AF_INET, socket.AF_INET6]


@pytest.mark.parametrize("family", families())
def test_it_listens_on_all_addresses(host: BlockingHost, family: socket.AddressFamily) -> None:
    """A probe comes from outside, by whichever protocol the cluster has."""
    with HealthServer(host, port=0) as server, socket.socket(family) as client:
        client.connect(("127.0.0.1" if family is socket.AF_INET else "::1", server.port))


def test_the_port_is_free_after_the_block(host: BlockingHost) -> None:
    """Leaving the block closes the port, so that it can be taken again."""
    with HealthServer(host, port=0, address="127.0.0.1") as server:
        port = server.port
    with HealthServer(host, port=port, address="127.0.0.1") as server:
        assert server.port == port


def test_a_plugins_error_in_a_message_is_cleaned(host: BlockingHost) -> None:
    """A message that quotes a connection string is shown without it."""
    message = "cannot reach host=db user=me password='hunter2 \\' x', nor amqp://me:hunter2@mq"
    host.readiness = lambda: Readiness(ready=False, state="failed", message=message)  # type: ignore[method-assign]
    with HealthServer(host, port=0, address="127.0.0.1") as server:
        assert get(server, "/health").json()["message"] == "cannot reach *** *** ***, nor ***"
