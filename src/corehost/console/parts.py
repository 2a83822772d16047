"""The parts of the page, each replaced whole when it changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final
from urllib.parse import urlencode

from corehost.console.markup import Markup, join, tag
from corehost.console.scene import node_states
from corehost.console.sight import ON_A_PAGE, Sight, View
from corehost.console.verdict import is_wrong, verdict
from corehost.console.words import code, codes, count, holder, moment, shown, state, took, waits_for
from corehost.core.graph import Graph
from corehost.core.instances import Instance, migrating
from corehost.core.present import Present
from corehost.core.results import BranchStatus
from corehost.core.revision import Node
from corehost.postgres.ledger import HistoryEntry

_MOST_NOTES: Final = 4
_REMEDIES: Final = {
    "failed": "The next pass tries it again; once the cause is mended, nothing else has to be done.",
    "in_doubt": "A part of it may be committed: look at the database, then say so with",
}


def banner(sight: Sight) -> Markup:
    """How things stand, in a sentence."""
    found = verdict(sight)
    return tag(
        "p",
        state(found.state, found.word),
        tag("span", found.sentence, class_="sentence"),
        class_=f"verdict is-{found.state}",
    )


def figures(sight: Sight) -> Markup:
    """How many of what."""
    look = sight.look
    if look is None:
        return Markup()
    graph = sight.graph
    total = sum(len(wanted) for wanted in graph.wanted().values()) if graph else 0
    pending = sum(len(status.pending) for status in look.branches)
    deferred = sum(len(status.deferred) for status in look.branches)
    pairs = [
        ("Branches", str(sum(status.state != "orphaned" for status in look.branches))),
        ("Revisions applied", f"{total - pending - deferred} of {total}"),
        ("Pending", str(pending)),
        ("Held back", str(deferred)) if deferred else None,
        ("At work", str(sum(one.state == "migrating" for one in look.instances) or _held(look.branches))),
        ("Waiting", str(sum(one.state == "waiting" for one in look.instances))),
        ("Serving", str(len(look.present))),
    ]
    return join(tag("div", tag("dt", pair[0]), tag("dd", pair[1])) for pair in pairs if pair is not None)


def trouble(sight: Sight) -> Markup:
    """What failed, and what to do."""
    look = sight.look
    found = [status for status in look.branches if is_wrong(status)] if look else []
    newest = {
        entry.branch: entry for view in sight.history.values() for entry in reversed(view) if entry.open
    }
    parts = [_failure(status, newest.get(status.branch)) for status in found]
    parts += [
        tag("article", tag("h3", f"{left.plugin} is left out"), tag("pre", shown(left.reason)))
        for left in sight.skipped
    ]
    return join([tag("h2", "What went wrong"), *parts]) if parts else Markup()


def branches(sight: Sight) -> Markup:
    """The table of branches."""
    look = sight.look
    if look is None:
        return Markup()
    running = migrating(look.instances)
    rows = [_branch(status, running.get(status.branch)) for status in look.branches]
    return _table(
        "Branches: what is installed, what is applied, who holds the lock",
        ("Branch", "From", "State", "Applied", "Pending", "Lock held by", "Since"),
        rows,
    )


def instances(sight: Sight) -> Markup:
    """Who waits, who runs a step that takes long, who serves."""
    look = sight.look
    rows = (
        [*map(_instance, look.instances), *(_present(p, sight.graph) for p in look.present)] if look else []
    )
    if not rows:
        return tag("p", "Nobody serves, nobody waits, and no step takes long.", class_="quiet")
    return _table(
        "Instances that wait, run a step, or serve", ("Instance", "State", "At", "Progress", "Since"), rows
    )


def revisions(sight: Sight, view: View) -> Markup:
    """All revisions of the branch that somebody asked for: the picture's lane in words."""
    name, graph, look = view.branch, sight.graph, sight.look
    if name is None or graph is None or look is None:
        return Markup()
    tree = graph.trees.get(name)
    if tree is None:
        return tag("p", "No revision of ", code(name), " is installed here.")
    states = node_states(graph, [status for status in look.branches if status.branch == name])
    rows = []
    for revision in tree.order:
        node = Node(name, revision)
        needs = [need.revision if need.branch == name else str(need) for need in graph.needs(node)]
        kind = states[node]
        told = {"doubt": "in doubt", "beyond": "not asked for"}.get(kind)
        row = (code(revision), state(kind, told), tree.revisions[revision].message, codes(tuple(needs)))
        rows.append(row)
    table = _table("Each behind what it needs", ("Revision", "State", "What it does", "Needs"), rows)
    return join([tag("h2", f"Revisions of {name}"), table])


def history(sight: Sight, view: View) -> Markup:
    """The ledger's attempts, newest first."""
    entries = sight.history.get(view, ())
    if not entries:
        return tag("p", "Nothing yet.", class_="quiet")
    table = _table(
        "Attempts to run a revision, newest first; times are UTC",
        ("Started", "Branch", "Revision", "Outcome", "Took", "From", "By"),
        [_entry(entry) for entry in entries[:ON_A_PAGE]],
    )
    links = []
    if view.before is not None:
        links.append(tag("a", "Newest", href=link(View(branch=view.branch), "history")))
    if len(entries) > ON_A_PAGE:
        older = View(branch=view.branch, before=entries[ON_A_PAGE - 1].id)
        links.append(tag("a", "Older", href=link(older, "history")))
    return join([table, tag("nav", *links, class_="pages", aria_label="Pages of the history")])


def link(view: View, place: str = "", *, refresh: int | None = None) -> str:
    """The address of a view, or of a place in it; ``refresh``: loaded again after so many seconds."""
    asked = {"branch": view.branch, "before": view.before, "refresh": refresh}
    query = urlencode({key: value for key, value in asked.items() if value is not None})
    return f"./{'?' if query else ''}{query}{'#' if place else ''}{place}"


def _failure(status: BranchStatus, entry: HistoryEntry | None) -> Markup:
    origin = " ".join(part for part in (status.origin.distribution, status.origin.version) if part)
    facts: list[tuple[str, object]] = [("From", origin)] if origin else []
    if entry is not None:
        facts += [("Revision", entry.revision), ("Started", moment(entry.started_at))]
        facts += [("By", f"{entry.host}:{entry.pid}")] if entry.host else []
    remedy: list[object] = [
        status.hint or _REMEDIES.get(status.state, "This code cannot serve this database.")
    ]
    if status.state == "in_doubt":
        remedy += [
            " ",
            code(f"corehost resolve {status.branch} {entry.revision if entry else 'REVISION'}"),
            ".",
        ]
    return tag(
        "article",
        tag("h3", state(status.state, f"{status.branch}: {status.state.replace('_', ' ')}")),
        tag("pre", shown(status.reason or status.state), tabindex=0),
        tag("dl", *(tag("div", tag("dt", name), tag("dd", value)) for name, value in facts), class_="facts"),
        tag("p", *remedy),
        tag("p", "The host goes on without it.") if status.left_out else None,
    )


def _branch(status: BranchStatus, instance: Instance | None) -> Iterator[object]:
    yield tag("a", status.branch, href=link(View(branch=status.branch), "revisions"))
    yield " ".join(part for part in (status.origin.distribution, status.origin.version) if part)
    yield state(status.state)
    yield codes(status.applied, most=2)
    waiting = [count(len(status.pending), "revision")] if status.pending else []
    waiting += [f"{len(status.deferred)} held back"] if status.deferred else []
    told = [", ".join(waiting), *([", next ", code(status.pending[0])] if status.pending else [])]
    held = [tag("p", code(revision), f" {why}", class_="note") for revision, why in status.held.items()]
    yield join([*told, *held[:_MOST_NOTES]])
    lock = status.lock
    yield (
        ""
        if lock is None
        else join([holder(lock), tag("small", f" backend {lock.pid}"), _progress(instance)])
    )
    yield "" if lock is None else moment(lock.since) or "not known"


def _instance(one: Instance) -> Iterator[object]:
    yield code(f"{one.host}:{one.pid}")
    yield state(one.state)
    yield code(f"{one.branch}@{one.revision}") if one.revision else waits_for(one.message or "")
    yield _progress(one) or ""
    yield moment(one.since)


def _present(one: Present, graph: Graph | None) -> Iterator[object]:
    yield code(str(one))
    yield state("current", "serving")
    here = {name: tree.branch.origin.version for name, tree in graph.trees.items()} if graph else {}
    others = [
        f"{name} {found.origin.version or 'without a version'}"
        for name, found in sorted(one.branches.items())
        if name in here and found.origin.version != here[name]
    ]
    if not one.recorded:
        yield "with code that the ledger does not know"
    else:
        yield f"with {', '.join(others)}" if others else "with the versions that are installed here"
    yield ""
    yield moment(one.since) or "not known"


def _progress(one: Instance | None) -> Markup | None:
    if one is None or (one.steps is None and one.rows is None):
        return None
    told = [f"step {one.step} of {one.steps}"] if one.step is not None and one.steps is not None else []
    told += [str(one.rows)] if one.rows is not None else []
    bar = None
    if one.rows is not None and one.rows.total:
        share = max(0, min(one.rows.done, one.rows.total))
        bar = tag(
            "progress", value=share, max=one.rows.total, aria_label=f"Rows done by {one.host}:{one.pid}"
        )
    return tag("span", ", ".join(told), bar, class_="progress")


def _entry(entry: HistoryEntry) -> Iterator[object]:
    yield moment(entry.started_at)
    yield entry.branch
    yield code(entry.revision)
    outcome = {"applied": "applied", "failed": "failed"}.get(entry.outcome, "waiting")
    told = entry.outcome if entry.action == "upgrade" else f"{entry.action}: {entry.outcome}"
    error = tag("p", shown(entry.error), class_="error") if entry.error else None
    yield join([state(outcome, told), error])
    yield took(entry.duration_ms)
    yield " ".join(part for part in (entry.distribution, entry.version) if part)
    yield f"{entry.host}:{entry.pid}" if entry.host else ""


def _held(found: Sequence[BranchStatus]) -> int:
    return len({status.lock.pid for status in found if status.lock is not None and status.pending})


def _table(
    caption: str, columns: Sequence[str], rows: Sequence[Iterator[object] | Sequence[object]]
) -> Markup:
    # The roles are said although they are the elements' own: on a narrow screen the cells stand below each
    # other, and what is laid out otherwise is no table any more for some who hear it.
    names = (tag("th", column, scope="col", role="columnheader") for column in columns)
    head = tag("thead", tag("tr", *names, role="row"), role="rowgroup")
    body = []
    for row in rows:
        first, *others = row
        cells = [tag("th", first, scope="row", role="rowheader")]
        cells += [
            tag("td", cell, role="cell", data_label=column)
            for column, cell in zip(columns[1:], others, strict=True)
        ]
        body.append(tag("tr", *cells, role="row"))
    table = tag("table", tag("caption", caption), head, tag("tbody", *body, role="rowgroup"), role="table")
    return tag("div", table, class_="wide", tabindex=0, role="region", aria_label=caption)
