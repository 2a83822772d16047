"""The example hosts, started as their READMEs say: real servers and workers on a real PostgreSQL."""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from support.hammer import ask
from support.logged import watcher
from support.packages import create_table, revision_source, spec, write_plugin
from support.processes import Process, Processes, wait_until
from support.web_servers import WebServer, free_port

EXAMPLES = Path(__file__).parents[2] / "example_hosts"
GROUP = "corehost.plugins"
SLOW = create_table("slow") + '\nop.execute("SELECT pg_sleep(2)")'
LISTEN = {"uvicorn": "--port={}", "gunicorn": "--bind=127.0.0.1:{}"}
ENDED = {0, -15}
"""How a process ends that has heeded a SIGTERM; uvicorn sends it to itself again at the end."""

Run = Callable[..., Process]


@pytest.fixture
def processes() -> Iterator[Processes]:
    """Processes that see the example plugins."""
    with Processes() as running:
        yield running


@pytest.fixture
def run(processes: Processes, site: Path, database: str, tmp_path: Path) -> Run:
    """A function that starts a command in an example's folder; a slow plugin comes last of all."""
    slow = {"1": revision_source("slow1", upgrade=SLOW)}
    write_plugin(site, "zslow", spec_source=spec("zslow", after=("accounts",)), revisions=slow, group=GROUP)

    def start(name: str, command: list[str], **extra: str) -> Process:
        program = command[1:] if command[0] == "python" else ["-m", *command]
        given = {"DATABASE_URL": database, "QUEUE_FOLDER": str(tmp_path / "queue"), **extra}
        return processes.start([sys.executable, *program], path=[site], cwd=EXAMPLES / name, extra=given)

    return start


def told(name: str) -> list[str]:
    """The command by which an example's README starts it."""
    lines = (EXAMPLES / name / "README.md").read_text().splitlines()
    lines = [
        line.strip().removeprefix("DATABASE_URL=postgresql://… ") for line in lines if line[:4] == "    "
    ]
    (line,) = [line for line in lines if re.match(r"(uvicorn|gunicorn|celery|python) (?!-c)", line)]
    return shlex.split(line)


def answered(server: WebServer, path: str) -> set[int]:
    """Every status that a path gives until it gives 200."""
    statuses: set[int] = set()

    def served() -> bool:
        statuses.add(ask(server, path).status)
        return 200 in statuses

    wait_until(served)
    return statuses


def add_user(database: str, email: str) -> None:
    """Add a user."""
    with psycopg.connect(database) as connection:
        connection.execute("INSERT INTO accounts.users (email, display_name) VALUES (%s, 'x')", [email])


@pytest.mark.parametrize("name", ["fastapi", "litestar", "flask", "django"])
def test_a_web_host_refuses_all_until_its_one_pass_is_done(
    run: Run, site: Path, database: str, tmp_path: Path, name: str
) -> None:
    """It answers 503 while one of its processes migrates; then none refuses, and it ends well."""
    watcher(site, tmp_path / "passes", group=GROUP)
    command = told(name)
    port = free_port()
    server = WebServer(name=name, port=port, process=run(name, [*command, LISTEN[command[0]].format(port)]))
    assert answered(server, "/users") - {0} == {503, 200}
    add_user(database, "ada@example.org")
    answers = [ask(server, "/users") for _ in range(20)]
    assert {answer.status for answer in answers} == {200}
    assert json.loads(answers[-1].body) == ["ada@example.org"]
    assert len((tmp_path / "passes").read_text().split()) == 1
    assert server.stop().returncode in ENDED


def test_a_celery_worker_takes_no_task_before_its_tables_are_there(run: Run, database: str) -> None:
    """A task that is sent before the worker starts is done after the pass, in a process of the pool."""
    send = "import celery_host; print(celery_host.count_users.delay().get(timeout=60))"
    client = run("celery", ["python", "-c", send])
    port = free_port()
    health = WebServer(name="celery", port=port, process=run("celery", told("celery"), HEALTH_PORT=str(port)))
    assert 503 in answered(health, "/readyz")
    finished = client.wait()
    assert (finished.returncode, finished.stdout) == (0, "0\n"), finished.stderr
    assert health.stop().returncode == 0


def test_a_celery_worker_ends_where_a_migration_fails(run: Run, site: Path) -> None:
    """It ends with corehost's exit code and says why; without the example's care Celery would go on."""
    broken = {"1": revision_source("broken1", upgrade='raise RuntimeError("no room")')}
    write_plugin(site, "broken", spec_source=spec("broken"), revisions=broken, group=GROUP)
    finished = run("celery", told("celery"), HEALTH_PORT="0").wait()
    assert finished.returncode == 1
    assert "revision broken1 failed" in finished.stdout


def test_a_worker_answers_probes_and_works_after_the_pass(run: Run) -> None:
    """A worker without HTTP is not ready while it migrates, works once it is, and ends at SIGTERM."""
    port = free_port()
    worker = WebServer(name="worker", port=port, process=run("worker", told("worker"), HEALTH_PORT=str(port)))
    assert 503 in answered(worker, "/readyz")
    worker.process.wait_for_output("0 users\n")
    assert worker.stop().returncode == 0


def test_a_script_migrates_and_goes_on(run: Run, database: str) -> None:
    """The script's work finds the tables that its own pass has made."""
    finished = run("script", told("script")).wait()
    assert (finished.returncode, finished.stderr) == (0, "")
    assert finished.stdout.endswith("revisions applied here\nadded ada@example.org\n")


def test_a_containers_entrypoint_answers_before_its_command_is_there(run: Run, database: str) -> None:
    """The Dockerfile's own ENTRYPOINT and CMD: 503 on the health port first, then the application serves."""
    dockerfile = (EXAMPLES / "container" / "Dockerfile").read_text()
    entrypoint, command = (
        json.loads(line) for line in re.findall(r"^(?:ENTRYPOINT|CMD) (.*)$", dockerfile, re.M)
    )
    ports = {"8081": str(free_port()), "0.0.0.0:8000": f"127.0.0.1:{free_port()}"}
    process = run("container", [ports.get(word, word) for word in (*entrypoint, *command)])
    health = WebServer(name="health", port=int(ports["8081"]), process=process)
    application = WebServer(name="app", port=int(ports["0.0.0.0:8000"].split(":")[1]), process=process)
    assert 503 in answered(health, "/readyz")
    assert answered(application, "/") <= {0, 200}
    assert health.stop().returncode == 0
