"""The page about operations is held against endpoints, metrics, events and options, and its code is run."""

from __future__ import annotations

import importlib.util
import re
import shlex
from dataclasses import fields
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

import corehost
from corehost import HealthCheck, HostCollector
from corehost.cli.child import PASSED_ON
from corehost.cli.commands.run import run
from corehost.web.paths import Paths
from support.serving import BlockingHost
from support.shop import Shop

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def block(begin: str) -> str:
    """The code block that begins so."""
    (found,) = (text for _, text in _FENCE.findall(PAGE) if text.startswith(begin))
    return str(found)


def test_the_endpoints_are_those_of_the_gates() -> None:
    """Every argument has a row with its default path."""
    (table,) = re.findall(r"\| argument \|.*?\n\n", PAGE, re.DOTALL)
    rows = dict(re.findall(r"^\| `(\w+)` \| (\S+?);? .*\|$", table, re.MULTILINE))
    assert {name: path.strip("`") for name, path in rows.items()} == {
        item.name: item.default or "off" for item in fields(Paths)
    }


def test_the_metrics_are_those_of_the_collector() -> None:
    """Every metric has a row with its type and labels."""
    rows = re.findall(r"^\| `(corehost_\w+)(?:\{([\w,]+)\})?` \| (\w+) \|", PAGE, re.MULTILINE)
    host = BlockingHost()
    registry = CollectorRegistry()
    registry.register(HostCollector(host))
    made = {metric.name: metric.type for metric in registry.collect()}
    assert {name.removesuffix("_total"): kind for name, _, kind in rows} == made


def test_the_reasons_of_retries_are_all_there_are() -> None:
    """Each is counted somewhere in the code, and no other."""
    (row,) = re.findall(r"^\| `corehost_retries_total.*tried again: (.*) \|$", PAGE, re.MULTILINE)
    sources = "".join(path.read_text() for path in Path(corehost.__file__).parent.rglob("*.py"))
    counted = set(re.findall(r'\.retried\("(\w+)"\)', sources))
    counted |= set(re.findall(r'psycopg\.errors\.\w+: "(\w+)"', sources))
    assert set(re.findall(r"`(\w+)`", row)) == counted


def test_the_events_are_logged() -> None:
    """No event is told of that there is not."""
    table = re.search(r"\| event \| level \|.*?\n\n", PAGE, re.DOTALL)
    assert table is not None
    told = set(re.findall(r"`(\w+\.\w+)`", table[0]))
    sources = "".join(path.read_text() for path in Path(corehost.__file__).parent.rglob("*.py"))
    assert told <= set(re.findall(r'(?:"event": |extra\()"([\w.]+)"', sources))


def test_the_commands_have_the_options_they_show() -> None:
    """Each line of the console block is one that corehost would run."""
    known = {option for parameter in run.params for option in parameter.opts}
    lines = block("$ corehost run").splitlines()
    assert len(lines) == 2
    for line in lines:
        words = shlex.split(line.removeprefix("$ corehost run "))
        assert {word for word in words[: words.index("--")] if word.startswith("-")} <= known


def test_the_signals_are_those_that_are_passed_on() -> None:
    """Named without SIG."""
    (listed,) = re.findall(r"It sends (.*?) on to the command", PAGE)
    assert set(re.findall(r"[A-Z]+[12]?", listed)) == {
        number.name.removeprefix("SIG") for number in PASSED_ON
    }


def test_the_plugins_check_is_one(tmp_path: Path) -> None:
    """The hook gives what the text around it says."""
    file = tmp_path / "parcels_plugin.py"
    file.write_text(block("# parcels/corehost_plugin.py"))
    spec = importlib.util.spec_from_file_location("parcels_plugin", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (check,) = module.corehost_register_health_checks()
    assert isinstance(check, HealthCheck)
    assert check.critical
    assert check.check(None) == "2 parcels waiting"
    defaults = {item.name: item.default for item in fields(HealthCheck)}
    assert f"`interval` ({defaults['interval'].seconds} s)" in PAGE
    assert f"`timeout` ({defaults['timeout'].seconds} s)" in PAGE


@pytest.mark.parametrize(
    ("begin", "told"),
    [
        ("# serve.py", ""),
        ("# metrics.py", 'corehost_steps_total{branch="orders",outcome="applied"} 1.0'),
        ("# logs.py", '"event": "step.finished"'),
    ],
)
def test_code_runs(shop: Shop, begin: str, told: str) -> None:
    """Each script runs as it stands, and shows what it is there for."""
    shop.install("orders")
    finished = shop.python(block(begin))
    assert finished.returncode == 0, finished.stderr
    assert told in finished.stdout + finished.stderr
