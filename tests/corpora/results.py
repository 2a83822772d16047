"""What was found of each family, where it is kept, and the page that shows it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from corpora.family import HERE, Family, names

RESULTS = HERE / "results.json"
PAGE = HERE.parents[1] / "docs" / "corpora.md"
VERSIONS = ("15", "18")
Results = Mapping[str, Mapping[str, Any]]

_BEGINNING = """\
# Real migrations

Packages from PyPI that ship Alembic migrations and know nothing of corehost, hosted by it with their files
unchanged: `nox -s corpora`. Each family is a file in `tests/corpora/families`: its packages and the host's
`corehost.toml`.

For each family and each PostgreSQL version, four processes of `corehost migrate` start at once on an empty
database and all end well, together they apply each revision once, and a fifth finds nothing to do. Then
`pg_dump --schema-only` of that database, version tables aside, equals that of one where Alembic alone,
without corehost and without the package's own `env.py`, ran the same trees; and `corehost adopt` takes that
one over, after which `corehost check` finds nothing to do. Seconds are of one process each on an empty
database, from its start to its end, imports included: corehost / Alembic alone.

"""
_FAILING = """
## What does not run

Tried in the same way; the last column says whether Alembic alone, without the package's `env.py`, runs it.

"""


def read() -> dict[str, Any]:
    """All results that there are."""
    found: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    return found


def key(name: str, version: str) -> str:
    """Where a family's result on a PostgreSQL version is kept."""
    return f"{name} {version}"


def keep(name: str, version: str, found: Mapping[str, Any]) -> None:
    """Write a result in place of the last one, and drop those of families that are gone."""
    known = {key(family, number) for family in names() for number in VERSIONS}
    results = {**read(), key(name, version): found}
    kept = {place: results[place] for place in sorted(results) if place in known}
    RESULTS.write_text(json.dumps(kept, indent=1) + "\n")


def expected(family: Family, version: str, found: Mapping[str, Any]) -> bool:
    """Whether a result on a PostgreSQL version is what the family's file says."""
    if family.fails and version in (family.fails_on or VERSIONS):
        return bool(found["outcome"] == "fails")
    return bool(found["outcome"] == ("differs" if family.differs else "same"))


def rendered(results: Results) -> str:
    """The page; what was tried of a family that is another by now counts as not measured."""
    families = [Family.read(name) for name in names()]
    now = {key(f.name, version): f.definition for f in families for version in VERSIONS}
    results = {place: one for place, one in results.items() if one["definition"] == now.get(place)}
    failed = [family for family in families if family.fails and not family.fails_on]
    ran = [family for family in families if family not in failed]
    heads = [f"PostgreSQL {version}, seconds" for version in VERSIONS]
    lines = [_row(["family", "packages", "revisions", "result", "what the host had to add", *heads])]
    lines += [_row(["---"] * (5 + len(heads))), *(_row(_cells(family, results)) for family in ran)]
    text = _BEGINNING + "\n".join([*lines, "", _sum(ran, results), ""])
    if failed:
        lines = [_row(["family", "packages", "why", "PostgreSQL", "Alembic alone"]), _row(["---"] * 5)]
        lines += [_row(_failure(family, results)) for family in failed]
        text += _FAILING + "\n".join([*lines, ""])
    return text


def _cells(family: Family, results: Results) -> Iterator[str]:
    theirs = {version: results.get(key(family.name, version), {}) for version in VERSIONS}
    good = [one for version, one in theirs.items() if version not in family.fails_on]
    yield family.name
    yield _packages(family)
    yield " / ".join(dict.fromkeys(map(_revisions, good)))
    yield _schema(family, good)
    yield family.added or "where the tree is"
    for version, one in theirs.items():
        seconds = one.get("seconds", {})
        if version in family.fails_on:
            yield f"fails: {family.fails}"
        else:
            yield (
                f"{seconds['corehost']:.1f} / {seconds['stock']:.1f}" if len(seconds) == 2 else "not measured"
            )


def _schema(family: Family, theirs: list[Mapping[str, Any]]) -> str:
    outcomes = {one.get("outcome", "not measured") for one in theirs}
    if outcomes == {"differs"} and family.differs:
        return family.differs
    reasons = {one["reason"].splitlines()[0] for one in theirs if one.get("outcome") == "fails"}
    told = {"same": "same schema", "differs": "another schema"}
    return "; ".join([" / ".join(told.get(one, one) for one in sorted(outcomes)), *sorted(reasons)])


def _failure(family: Family, results: Results) -> Iterator[str]:
    theirs = {version: results.get(key(family.name, version), {}) for version in VERSIONS}
    yield family.name
    yield _packages(family)
    yield family.fails
    yield ", ".join(v for v, one in theirs.items() if one.get("outcome") == "fails") or "not tried"
    alone = {one.get("stock", "not tried") for one in theirs.values()}
    yield "runs" if alone == {"runs"} else "not tried" if alone == {"not tried"} else "fails too"


def _revisions(found: Mapping[str, Any]) -> str:
    if not (stamped := found.get("stamped")):
        return str(found.get("revisions", "?"))
    run = found["revisions"] - stamped
    return f"{run} run, {stamped} stamped" if run else f"{stamped} stamped"


def _packages(family: Family) -> str:
    if len(family.parts) > 1:
        return f"the {len(family.packages)} of {len(family.parts)} families"
    return ", ".join(package.replace("==", " ") for package in family.packages)


def _sum(families: list[Family], results: Results) -> str:
    apart = [family for family in families if len(family.parts) == 1]
    ran = [results.get(key(family.name, VERSIONS[0]), {}) for family in apart]
    revisions = sum(one.get("revisions", 0) - one.get("stamped", 0) for one in ran)
    packages = {package for family in apart for package in family.packages}
    states = Counter(one["corehost"] for one in results.values() if "corehost" in one)
    measured = ", ".join(f"{state} ({states[state]})" for state in sorted(states))
    adopted = sum("adopted" in one for one in results.values())
    return (
        f"{len(packages)} packages in {len(apart)} families of their own, {revisions} revisions run on "
        f"PostgreSQL {VERSIONS[0]}. Seconds are of one run on two cores that others used too: they tell the "
        f"order of size. corehost's version and commit, and how many results are of it: {measured}; "
        f"those of {adopted} include the adoption, which older ones did not try."
    )


def _row(cells: Any) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def write_page(path: Path = PAGE) -> None:
    """Write the results into the page."""
    path.write_text(rendered(read()))
