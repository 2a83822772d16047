"""What candidates are to each other: requirements, order, and tables that two of them claim."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from corehost.core.branch import Branch
from corehost.core.errors import PluginError, did_you_mean
from corehost.core.namespace import CORE, LEDGER, Namespace
from corehost.core.requirement import Requirement
from corehost.core.toposort import find_cycle, topological_order
from corehost.discovery.candidates import Candidate

Problems = dict[str, list[PluginError]]
"""Name -> what is wrong with it; one problem may stand at several names."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What of the candidates is of use."""

    problems: Mapping[str, Sequence[PluginError]]
    """Name -> what is wrong with it."""
    dropped: Mapping[str, str]
    """Name -> why it is left out although nothing is wrong with it by itself."""
    order: tuple[str, ...]
    """The names that remain, each behind those that it requires or comes after; the core first."""
    branches: tuple[Branch, ...]
    """Their branches, sorted by name."""


def judge(candidates: Iterable[Candidate]) -> Verdict:
    """Weigh the candidates against each other; nothing is raised."""
    everything = list(candidates)
    on = [candidate for candidate in everything if candidate.off is None]
    problems: Problems = {}
    own = {candidate.name: list(candidate.problems) for candidate in on if candidate.problems}
    for found in (own, _requirement_problems(on, everything), _shared_tables(on), _cycles(on)):
        for name, more in found.items():
            problems.setdefault(name, []).extend(more)
    dropped = _dropped(on, problems)
    good = {c.name: c for c in on if c.name not in problems and c.name not in dropped}
    needs = {name: _needs(candidate, good) for name, candidate in good.items()}
    order = tuple(topological_order(good, needs.__getitem__, key=lambda name: (name != CORE, name)))
    return Verdict(problems=problems, dropped=dropped, order=order, branches=_branches(good, needs, order))


def _needs(candidate: Candidate, known: Container[str]) -> list[str]:
    """Those of the known names that come before it, sorted."""
    after = candidate.spec.after if candidate.spec else ()
    names = {requirement.name for requirement in candidate.requires} | set(after)
    return sorted(name for name in names if name in known)


def _requirement_problems(on: Iterable[Candidate], everything: Iterable[Candidate]) -> Problems:
    known: dict[str, list[Candidate]] = {}
    for candidate in everything:
        known.setdefault(candidate.name, []).append(candidate)
    problems: Problems = {}
    for candidate in on:
        for requirement in candidate.requires:
            if (problem := _unmet(requirement, known)) is not None:
                problem.where = candidate.origin.where(branch=candidate.name)
                problems.setdefault(candidate.name, []).append(problem)
    return problems


def _unmet(requirement: Requirement, known: Mapping[str, Sequence[Candidate]]) -> PluginError | None:
    if requirement.name == LEDGER:
        return PluginError(
            f"it requires {str(requirement)!r}", hint="name corehost in the distribution's dependencies"
        )
    found = known.get(requirement.name)
    if not found:
        return PluginError(
            f"it requires {requirement.name!r}, which is not installed",
            hint=did_you_mean(requirement.name, sorted(known)),
        )
    if found[0].off is not None:
        return PluginError(f"it requires {requirement.name!r}, which is disabled: {found[0].off}")
    if len(found) > 1 or not requirement.specifier:
        return None
    origin = found[0].origin
    if origin.version is None:
        return PluginError(f"it requires {str(requirement)!r}, but no distribution gives a version of it")
    if not requirement.allows(origin.version):
        return PluginError(
            f"it requires {str(requirement)!r}, but {origin.distribution} {origin.version} is installed"
        )
    return None


def _shared_tables(on: Iterable[Candidate]) -> Problems:
    by_namespace: dict[Namespace, list[Candidate]] = {}
    for candidate in on:
        if candidate.branch is not None:
            by_namespace.setdefault(candidate.branch.namespace, []).append(candidate)
    problems: Problems = {}
    for namespace, sharing in by_namespace.items():
        if len(sharing) > 1:
            table = f"{namespace.schema}.{namespace.version_table}"
            who = "; ".join(str(c.origin.where(branch=c.name)) for c in sharing)
            problem = PluginError(
                f"several branches share the version table {table}: {who}",
                hint="give one of them another version_table or schema",
            )
            # the core is not left out for what a plugin does
            problems.update({c.name: [problem] for c in sharing if not (c.branch and c.branch.is_core)})
    return problems


def _cycles(on: Iterable[Candidate]) -> Problems:
    left = {candidate.name: candidate for candidate in on}
    problems: Problems = {}
    while cycle := find_cycle(sorted(left), lambda name: _needs(left[name], left)):
        problem = PluginError(
            f"plugins wait for each other: {' -> '.join([*cycle, cycle[0]])}",
            where=left[cycle[0]].origin.where(branch=cycle[0]),
            hint="take one 'requires' or 'after' away",
        )
        for name in cycle:
            problems[name] = [problem]
            del left[name]
    return problems


def _dropped(on: Iterable[Candidate], problems: Collection[str]) -> dict[str, str]:
    required = {c.name: sorted({r.name for r in c.requires}) for c in on if c.name not in problems}
    dependents: dict[str, list[str]] = {}
    for name, names in required.items():
        for other in names:
            dependents.setdefault(other, []).append(name)
    bad, todo = set(problems), sorted(problems)
    while todo:
        for name in dependents.get(todo.pop(), ()):
            if name not in bad:
                bad.add(name)
                todo.append(name)
    return {
        name: "it requires "
        + ", ".join(repr(other) for other in names if other in bad)
        + ", which is left out"
        for name, names in required.items()
        if name in bad
    }


def _branches(
    good: Mapping[str, Candidate], needs: Mapping[str, Sequence[str]], order: Sequence[str]
) -> tuple[Branch, ...]:
    """The branches; who needs a plugin without tables comes after the branches that this one needs."""
    through: dict[str, set[str]] = {}
    branches = []
    for name in order:
        branch = good[name].branch
        inherited = set[str]().union(*(through[other] for other in needs[name] if good[other].branch is None))
        if branch is None:
            through[name] = inherited | {other for other in needs[name] if good[other].branch is not None}
        else:
            branches.append(replace(branch, after=tuple(dict.fromkeys([*branch.after, *sorted(inherited)]))))
    return tuple(sorted(branches, key=lambda branch: branch.name))
