"""The spans for OpenTelemetry, in the SDK's own exporter."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from corehost import MigrationError
from corehost.core.plan import Step
from corehost.migrate import Observer
from telemetry.conftest import FAILS, MakeHost


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """Where spans go; the provider is the process's own for the time of the test."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    yield exporter
    provider.shutdown()


def named(exporter: InMemorySpanExporter, name: str, **attributes: str) -> ReadableSpan:
    """The one span of that name that has these attributes."""
    wanted = {f"corehost.{key}": value for key, value in attributes.items()}.items()
    (span,) = [
        span
        for span in exporter.get_finished_spans()
        if span.name == name and wanted <= dict(span.attributes or {}).items()
    ]
    return span


def parent(span: ReadableSpan) -> int | None:
    """The id of the span that it lies in."""
    return None if span.parent is None else span.parent.span_id


def test_pass_branch_and_step_lie_in_each_other(make_host: MakeHost, exporter: InMemorySpanExporter) -> None:
    """A trace shows which step of which branch took how much of the pass."""
    make_host().migrate()
    whole = named(exporter, "corehost.pass")
    branch = named(exporter, "corehost.branch", branch="orders")
    step = named(exporter, "corehost.step", branch="orders")
    assert whole.context is not None
    assert branch.context is not None
    assert (parent(whole), parent(branch), parent(step)) == (
        None,
        whole.context.span_id,
        branch.context.span_id,
    )
    assert dict(step.attributes or {}) == {
        "corehost.branch": "orders",
        "corehost.schema": "orders",
        "corehost.revision": "orders1",
        "corehost.phase": "",
        "corehost.transactional": True,
        "corehost.outcome": "applied",
        "db.system.name": "postgresql",
    }
    assert (whole.attributes or {})["corehost.ready"] is True
    assert all(span.status.is_ok or span.status.is_unset for span in (whole, branch, step))


def test_a_failure_is_in_all_three_without_secrets(
    make_host: MakeHost, exporter: InMemorySpanExporter
) -> None:
    """Pass, branch and step are errors, and say why without the connection string that the error quotes."""
    with pytest.raises(MigrationError):
        make_host(FAILS).migrate()
    spans = [named(exporter, "corehost.pass")]
    spans += [named(exporter, f"corehost.{name}", branch="invoices") for name in ("branch", "step")]
    for span in spans:
        assert span.status.status_code is trace.StatusCode.ERROR
        assert "division by zero" in str(span.status.description)
        assert [event.name for event in span.events] == ["exception"]
    assert "hunter2" not in "".join(span.to_json() for span in exporter.get_finished_spans())


def test_the_step_is_current_while_it_runs(make_host: MakeHost, exporter: InMemorySpanExporter) -> None:
    """So that an instrumented driver's spans lie in it; afterwards it is not."""
    current: list[int] = []

    class Asks(Observer):
        def step_started(self, step: Step) -> None:
            if step.node.branch == "orders":
                current.append(trace.get_current_span().get_span_context().span_id)

    make_host().migrate(observer=Asks())
    step = named(exporter, "corehost.step", branch="orders")
    assert step.context is not None
    assert current == [step.context.span_id]
    assert trace.get_current_span() is trace.INVALID_SPAN


def test_an_exporter_that_fails_changes_nothing(
    make_host: MakeHost, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The pass goes on, and the log says what failed."""

    def no_tracer(*args: object) -> None:
        raise RuntimeError("no collector")

    monkeypatch.setattr(trace, "get_tracer", no_tracer)
    assert make_host().migrate().ready
    assert "telemetry failed" in caplog.text


def test_without_opentelemetry_in_the_process_there_are_no_spans(
    make_host: MakeHost, exporter: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """corehost does not import it by itself."""
    monkeypatch.delitem(sys.modules, "opentelemetry.trace")
    make_host().migrate()
    assert exporter.get_finished_spans() == ()
    assert "opentelemetry.trace" not in sys.modules
