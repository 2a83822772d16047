"""Numbers for Prometheus (extra ``prometheus``): a collector for any registry, and the text of one scrape."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, Protocol, get_args

from corehost.core.errors import ConfigurationError
from corehost.core.results import BranchState, Readiness
from corehost.core.version import VERSION

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

    from corehost.telemetry.measures import Distribution, Measures

_STATES: Final = tuple(state for state in get_args(BranchState) if state != "orphaned")


class MeasuredHost(Protocol):
    """A host that keeps its numbers."""

    @property
    def measures(self) -> Measures:
        """Its numbers."""
        ...

    def readiness(self) -> Readiness:
        """Its readiness, from memory."""
        ...


class HostCollector:
    """A host's metrics, for a registry of your own: ``registry.register(corehost.HostCollector(host))``.

    They are of this process alone, and read from memory. One host to a registry: the names are the same.
    Raises ConfigurationError where prometheus-client is not installed.
    """

    def __init__(self, host: MeasuredHost, *, readiness: Callable[[], Readiness] | None = None):
        _client()
        self._measures = host.measures
        self._readiness = readiness or host.readiness

    def collect(self) -> Iterator[Metric]:
        """Every metric, as prometheus-client wants it."""
        core = _client().metrics_core
        measures = self._measures
        ready = core.GaugeMetricFamily("corehost_ready", "Whether this instance may serve.")
        ready.add_metric([], float(self._readiness().ready))
        yield ready
        states = core.GaugeMetricFamily(
            "corehost_branch_state",
            "The state of each branch, 1 for the one it is in.",
            labels=["branch", "state"],
        )
        pending = core.GaugeMetricFamily(
            "corehost_pending_revisions", "Revisions that are not applied yet.", labels=["branch"]
        )
        for count in measures.branches:
            pending.add_metric([count.branch], count.pending)
            for state in _STATES:
                states.add_metric([count.branch, state], float(state == count.state))
        yield states
        yield pending
        steps = core.CounterMetricFamily(
            "corehost_steps", "Steps that ended in this process.", labels=["branch", "outcome"]
        )
        for (branch, outcome), number in measures.steps.items():
            steps.add_metric([branch, outcome], number)
        yield steps
        yield _histogram(
            core,
            "corehost_step_duration_seconds",
            "How long a step took, with its commit.",
            measures.durations,
        )
        yield _histogram(
            core, "corehost_lock_wait_seconds", "How long a pass has waited for others.", measures.waits
        )
        retries = core.CounterMetricFamily(
            "corehost_retries", "What was tried again, and why.", labels=["reason"]
        )
        for reason, number in measures.retries.items():
            retries.add_metric([reason], number)
        yield retries
        build = core.GaugeMetricFamily(
            "corehost_build_info", "What runs here; always 1.", labels=["version", "python_version"]
        )
        build.add_metric([VERSION, platform.python_version()], 1)
        yield build


class Exposition:
    """The text that a scrape gets, of one host's metrics. Raises ConfigurationError as the collector."""

    def __init__(self, host: MeasuredHost, *, readiness: Callable[[], Readiness]):
        self._registry = _client().CollectorRegistry()
        self._registry.register(HostCollector(host, readiness=readiness))

    def read(self, accept: str | None) -> tuple[bytes, str]:
        """The metrics and their content type, in the format that the scraper prefers."""
        encode, kind = _client().exposition.choose_encoder(accept or "")
        return encode(self._registry), kind


def _histogram(core: Any, name: str, text: str, found: Distribution) -> Metric:
    below, buckets = 0, []
    for bound, count in zip((*found.bounds, float("inf")), found.counts, strict=True):
        below += count
        buckets.append(("+Inf" if bound == float("inf") else repr(bound), below))
    metric: Metric = core.HistogramMetricFamily(name, text, buckets=buckets, sum_value=found.total)
    return metric


def _client() -> Any:
    try:
        import prometheus_client
        import prometheus_client.exposition
        import prometheus_client.metrics_core
    except ImportError as error:
        raise ConfigurationError(
            "metrics need prometheus-client", hint="install corehost[prometheus]"
        ) from error
    return prometheus_client
