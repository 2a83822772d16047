"""Renders invoices on a thread of its own, away from the request that asked for one."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from corehost import Host


@dataclass(frozen=True, kw_only=True)
class Invoice:
    """What is printed of one invoice; amounts are in cents."""

    number: str
    organisation: str
    currency: str
    lines: tuple[tuple[str, int], ...]


_threads: dict[int, ThreadPoolExecutor] = {}  # by id of the host: a process may hold several hosts


def start(host: Host) -> None:
    """Open the thread of this host."""
    _threads[id(host)] = ThreadPoolExecutor(max_workers=1, thread_name_prefix="billing")


def stop(host: Host) -> None:
    """End the thread of this host once its invoices are done; without one, nothing."""
    if thread := _threads.pop(id(host), None):
        thread.shutdown(wait=True)


def render(host: Host, invoice: Invoice) -> Future[str]:
    """Render an invoice; raises RuntimeError while the host is not started."""
    if (thread := _threads.get(id(host))) is None:
        raise RuntimeError("billing is not started on this host")
    return thread.submit(_text, invoice)


def check(host: Host) -> str:
    """Wait until the thread has time for us; raises RuntimeError where there is none, hangs where it does."""
    if (thread := _threads.get(id(host))) is None:
        raise RuntimeError("billing is not started on this host")
    return thread.submit(lambda: "the thread answers").result()


def _text(invoice: Invoice) -> str:
    rows = [*invoice.lines, ("Total", sum(amount for _, amount in invoice.lines))]
    body = "\n".join(f"{label:<40}{amount / 100:>12.2f} {invoice.currency}" for label, amount in rows)
    return f"Invoice {invoice.number}\n{invoice.organisation}\n\n{body}\n"
