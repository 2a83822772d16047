"""What can be done here, each in an environment of its own: ``nox -l`` lists it.

Works with and without uv; nothing but nox has to be there.
"""

from __future__ import annotations

import glob
import os
import shutil
import signal
from pathlib import Path

import nox

nox.needs_version = ">=2025.5.1"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.download_python = "never"
nox.options.sessions = ["lint", "types", "tests"]

# Started in the background we have these ignored, which every child inherits; the tests send them.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)
os.environ.setdefault("UV_PYTHON_DOWNLOADS", "never")
# Every test of a fleet starts many processes: none of them is to compile its libraries again.
os.environ.setdefault("UV_COMPILE_BYTECODE", "1")
PYENV = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
# pyenv's shims are on PATH for versions that are not active, and fail when run: the real ones come first.
# (glob.glob passes over a folder of somebody else's that PYENV_ROOT still names; Path.glob raises.)
os.environ["PATH"] = os.pathsep.join([*glob.glob(f"{PYENV}/versions/3.*/bin"), os.environ["PATH"]])

OLDEST, *NEWER = ("3.11", "3.12", "3.13", "3.14")
EXAMPLES = sorted(str(file.parent) for file in Path("example_plugins").glob("*/pyproject.toml"))
WORKSPACE = ("-e", ".[embedded]", *(part for example in EXAMPLES for part in ("-e", f"./{example}")))
TEST_TOOLS = (*WORKSPACE, "--group", "test")
HOSTS = ("--group", "hosts")
# schemathesis would raise what `lowest` installs, and has a say in tests/fuzz only
FUZZ = ("--group", "fuzz")
# Helm has no wheel for every machine: what is checked with it is a session of its own
EVERYWHERE = ("tests", "--ignore=tests/deploy")


def run_tests(session: nox.Session, *tests: str, **env: str) -> None:
    """These tests, by default the whole suite; what follows ``--`` goes to pytest and names others."""
    workers = ("-n", "2", "--dist", "worksteal")
    session.run("pytest", *workers, *(session.posargs or tests), env={"COREHOST_TEST_PG": "18", **env})


@nox.session
def demo(session: nox.Session) -> None:
    """A fleet that migrates the example plugins on a local PostgreSQL, to look at."""
    session.install(*WORKSPACE)
    session.run("corehost", "demo", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """The tests, on the Python that runs nox and PostgreSQL 18."""
    session.install(*TEST_TOOLS, *HOSTS, *FUZZ)
    run_tests(session, *EVERYWHERE)


@nox.session(python=[OLDEST, *NEWER])
def tests_all(session: nox.Session) -> None:
    """The tests, on every supported Python that is installed."""
    session.install(*TEST_TOOLS, *HOSTS, *FUZZ)
    run_tests(session, *EVERYWHERE)


@nox.session
def deploy(session: nox.Session) -> None:
    """Check the manifests and the chart of ``deploy/``: schemas, Helm, hadolint, and their commands."""
    session.install(*TEST_TOOLS, "--group", "deploy")
    run_tests(session, "tests/deploy")


@nox.session
def tests_pg15(session: nox.Session) -> None:
    """The tests in which the server has a say, on the PostgreSQL 15 of the system."""
    session.install(*TEST_TOOLS)
    told = ("chaos", "corpora", "embedded", "examples", "faults", "fleet", "test_bootstrap.py")
    # Where a crash comes is the client's affair, which the other sessions look into closely.
    seldom = {"COREHOST_TEST_PG": "15", "COREHOST_TEST_CRASH_STRIDE": "23"}
    run_tests(session, *(f"tests/{name}" for name in told), **seldom)


@nox.session
@nox.parametrize("postgresql", ["18", "15"])
def rounds(session: nox.Session, postgresql: str) -> None:
    """Fleets and crashes for long: twenty rounds of each fleet, a crash at every request."""
    session.install(*TEST_TOOLS)
    long = {"COREHOST_TEST_ROUNDS": "20", "COREHOST_TEST_CRASH_STRIDE": "1", "COREHOST_TEST_PG": postgresql}
    session.run("pytest", "-n", "2", "tests/fleet", "tests/faults", *session.posargs, env=long)


@nox.session
def chaos(session: nox.Session) -> None:
    """Random fleets, graphs and faults, round after round: ``-- --rounds N --seed S``, or ``--help``."""
    session.install(*TEST_TOOLS)
    session.run("python", "-m", "chaos", *session.posargs, env={"PYTHONPATH": "tests"})


@nox.session
def rolling(session: nox.Session) -> None:
    """Random roll-outs of three releases, one after the other: ``-- --rounds N --jobs J``, or ``--help``."""
    session.install(*TEST_TOOLS)
    session.run("python", "-m", "rolling", *session.posargs, env={"PYTHONPATH": "tests:."})


@nox.session
def bench(session: nox.Session) -> None:
    """Measure, and write the figures into the docs; what follows ``--`` names what to measure."""
    session.install(*TEST_TOOLS, *HOSTS, "--group", "bench", "uv")
    corpora = str(Path(session.cache_dir).absolute() / "corpora")
    env = {"PYTHONPATH": "tests", "COREHOST_BENCH_CORPORA": corpora}
    session.run("python", "-m", "benchmarks", *session.posargs, env=env)


@nox.session
def corpora(session: nox.Session) -> None:
    """Host real packages, and write what was found into the docs; what follows ``--`` names families."""
    session.install(*TEST_TOOLS, "uv")
    cache = Path(session.cache_dir).absolute() / "corpora"
    session.run(
        "python", "-m", "corpora", "--cache", str(cache), *session.posargs, env={"PYTHONPATH": "tests"}
    )


@nox.session
def screenshots(session: nox.Session) -> None:
    """Look at the console during a real start, and write the pictures of it into the docs."""
    session.install(*TEST_TOOLS)
    session.run("python", "-m", "console.screenshots", env={"PYTHONPATH": "tests"})


@nox.session(python=OLDEST)
def lowest(session: nox.Session) -> None:
    """The tests in which a library has a say, with the oldest Python and the oldest versions allowed."""
    session.install("uv")
    # The tools too: the newest pytest asks for a newer pluggy than our own oldest.
    session.run("uv", "pip", "install", "--resolution=lowest-direct", *TEST_TOOLS)
    told = ("alembic", "batches/test_loop.py", "cli", "corpora", "discovery", "docs/test_lint.py")
    told += ("examples", "web", "test_bootstrap.py", "test_host.py")
    run_tests(session, *(f"tests/{name}" for name in told))


@nox.session
def lint(session: nox.Session) -> None:
    """Style, formatting, the layers, and the length of modules."""
    session.install("-e", ".", "--group", "lint")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("lint-imports")
    session.run("python", "tools/module_length.py", "src")


@nox.session
def types(session: nox.Session) -> None:
    """The types, strictly."""
    session.install("-e", ".", "--group", "types")
    session.run("mypy")


@nox.session
def build(session: nox.Session) -> None:
    """Build every package, then use the wheels where the source tree cannot be seen."""
    session.install("uv")
    place = Path(session.create_tmp())
    shutil.rmtree(place, ignore_errors=True)
    session.run("uv", "build", "--all-packages", "--out-dir", str(place / "dist"))
    session.run("uv", "venv", "--python", session.virtualenv.location, str(place / "venv"))
    wheels = sorted(map(str, place.glob("dist/*.whl")))
    session.run("uv", "pip", "install", "--python", str(place / "venv"), *wheels)
    hosts = sorted(str(file.parent) for file in Path("example_hosts").glob("*/pyproject.toml"))
    session.run("uv", "pip", "install", "--python", str(place / "venv"), *hosts)
    session.chdir(place)
    for command in ("--version", "--help", "plugins", "graph", "graph --format svg"):
        session.run("venv/bin/corehost", *command.split(), external=True)
    imports = "import bulletin.wsgi, celery_host, container_app, fastapi_host, flask_host, litestar_host"
    nowhere = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing"}
    session.run("venv/bin/python", "-c", imports, external=True, env=nowhere)
