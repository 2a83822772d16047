"""What the log says of a pass, and the formatter that writes it as JSON."""

from __future__ import annotations

import ast
import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import corehost
from corehost import JsonFormatter, MigrationError
from support.processes import output_of
from telemetry.conftest import FAILS, MakeHost

LEVELS = {"info", "warning", "error", "exception", "critical", "log"}


@pytest.fixture
def lines() -> Iterator[Any]:
    """A function that gives the log so far as parsed JSON lines."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    logger = logging.getLogger("corehost")
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    logger.removeHandler(handler)
    logger.setLevel(before)


def test_a_step_is_logged_with_what_it_is_about(make_host: MakeHost, lines: Any) -> None:
    """Its end says branch, schema, revision and how long it took, each under its own key."""
    report = make_host().migrate()
    (line,) = [
        each for each in lines() if (each.get("event"), each.get("branch")) == ("step.finished", "orders")
    ]
    (result,) = [each for each in report.applied if each.node.branch == "orders"]
    assert (line["schema"], line["revision"], line["level"]) == ("orders", "orders1", "info")
    assert line["duration_ms"] == round(result.duration_ms, 3)
    assert line["logger"] == "corehost"
    assert line["time"].endswith("Z")


def test_the_events_of_a_pass_come_in_order(make_host: MakeHost, lines: Any) -> None:
    """Steps begin and end, then the pass ends; a second pass with nothing to do says that only."""
    host = make_host()
    host.migrate()
    events = [line["event"] for line in lines() if line.get("branch") != "corehost"]
    assert events == [*["step.started", "step.finished"] * 2, "pass.finished"]
    host.migrate()
    assert [line["event"] for line in lines()][-1] == "pass.finished"
    assert lines()[-1]["applied"] == 0


def test_a_failure_is_logged_without_secrets(make_host: MakeHost, lines: Any) -> None:
    """As an error with the same keys, whatever the database's message quotes."""
    with pytest.raises(MigrationError):
        make_host(FAILS).migrate()
    (line,) = [each for each in lines() if each.get("event") == "step.failed"]
    assert (line["level"], line["branch"]) == ("error", "invoices")
    assert "division by zero" in line["message"]
    assert "hunter2" not in json.dumps(lines())


def test_the_formatter_takes_any_record() -> None:
    """Of any logger: an exception with its traceback on the same line, and values that JSON does not know."""
    logger = logging.getLogger("tests.shop")
    try:
        raise ValueError("no\nluck")
    except ValueError as error:
        record = logger.makeRecord(
            "tests.shop", logging.ERROR, __file__, 1, "it %s", ("failed",), (ValueError, error, None), "f",
            {"path": Path("/tmp"), "message_id": 7},
        )  # fmt: skip
    text = JsonFormatter().format(record)
    assert "\n" not in text
    line = json.loads(text)
    assert (line["message"], line["path"], line["message_id"]) == ("it failed", "/tmp", 7)
    assert line["error"]["type"] == "ValueError"
    assert line["error"]["message"] == "no\nluck"


def test_corehost_installs_no_handler() -> None:
    """A library leaves logging to the application."""
    program = (
        "import logging, corehost\n"
        "corehost.Host(corehost.Settings())\n"
        "logger = logging.getLogger('corehost')\n"
        "print(logger.handlers, logger.level, logger.propagate, logging.getLogger().handlers)"
    )
    assert output_of(program) == "[] 0 True []\n"


def test_every_record_names_its_event() -> None:
    """Whatever is logged above the level of debugging can be counted by its ``event``."""
    nameless = []
    for source in sorted(Path(corehost.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(source.read_text())):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name(id="log" | "_log" | "_LOG"), attr=level)):
                    told = {keyword.arg for keyword in node.keywords}
                    if level in LEVELS and "extra" not in told:
                        nameless.append(f"{source.name}:{node.lineno}")
    assert nameless == []


@pytest.mark.parametrize("value", [{(1, 2): 3}, float("nan")], ids=["a key that is no text", "no number"])
def test_what_json_has_no_form_for_is_written_as_text(value: object) -> None:
    """An application's own extra never costs the line, nor makes it something that no parser takes."""
    record = logging.makeLogRecord({"msg": "read", "data": value})
    line = json.loads(JsonFormatter().format(record), parse_constant=pytest.fail)
    assert (line["message"], line["data"]) == ("read", str(value))
