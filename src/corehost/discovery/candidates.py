"""What claims to be a plugin or a branch, each looked at by itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final

from corehost.core.branch import Branch, Origin
from corehost.core.errors import PluginError, Where, did_you_mean
from corehost.core.mounts import SPEC_KEYS
from corehost.core.namespace import CORE, Namespace, version_table_for
from corehost.core.requirement import Requirement
from corehost.core.settings import Settings
from corehost.core.spec import PluginSpec, name_problem
from corehost.discovery.distributions import owner_of
from corehost.discovery.entry_points import Claim, Installed
from corehost.discovery.foreign import declared_folders
from corehost.discovery.found import Kind
from corehost.discovery.guard import guarded
from corehost.discovery.hooks import Hooks
from corehost.discovery.locate import locate, revision_folders

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """One thing that was found."""

    name: str
    """The name that it claims."""
    kind: Kind
    """How it was declared."""
    origin: Origin
    """Where it was found."""
    off: str | None = None
    """Why it is disabled, where it is: then nothing else is known of it."""
    spec: PluginSpec | None = None
    """What it says of itself, the host's overrides applied; None for the core."""
    requires: tuple[Requirement, ...] = ()
    """Its ``requires``, parsed."""
    plugin: object = None
    """What its entry point names, for pluggy."""
    branch: Branch | None = None
    """Its branch, where it has migrations and they were found."""
    problems: tuple[PluginError, ...] = ()
    """What is wrong with it by itself."""


def candidates(settings: Settings, installed: Installed, hooks: Hooks) -> list[Candidate]:
    """Everything that was found, sorted by name; what is disabled is not imported."""
    claims = _claims_by_name(settings, installed)
    found = [_core(settings, settings.core, installed)] if settings.core is not None else []
    for name in sorted({*claims, *settings.mounts}):
        claimed, mount = claims.get(name, {}), settings.mounts.get(name)
        if off := off_reason(name, settings):
            found += [
                Candidate(name=name, kind=kind, origin=c.origin, off=off) for c, kind in claimed.items()
            ]
            if not claimed:
                found.append(Candidate(name=name, kind="mount", origin=_mount_origin(name), off=off))
        elif len(claimed) > 1:
            found += _rivals(name, claimed)
        elif claimed:
            ((claim, kind),) = claimed.items()
            found.append(_claimed(name, claim, kind, mount or _NOTHING, hooks))
        else:
            found.append(_mounted(name, settings, sorted(claims), installed))
    found += _not_installed(settings, {candidate.name for candidate in found})
    return sorted(found, key=lambda candidate: candidate.name)


def off_reason(name: str, settings: Settings) -> str | None:
    """Why the settings leave that name out, or None where they do not."""
    if name in settings.disabled:
        return "the setting `disabled` names it"
    if settings.plugins is not None and name not in settings.plugins and name != CORE:
        return "the setting `plugins` does not name it"
    return None


def _claims_by_name(settings: Settings, installed: Installed) -> dict[str, dict[Claim, Kind]]:
    by_name: dict[str, dict[tuple[Kind, str | None, str], Claim]] = {}
    for claim in installed.claims:
        kind: Kind = "plugin" if claim.group in settings.plugin_groups else "migrations"
        name = claim.name if kind == "plugin" else re.sub(r"[-.]", "_", claim.name).lower()
        # the same value under two groups, or two spellings, is one claim
        by_name.setdefault(name, {}).setdefault((kind, claim.origin.distribution, claim.value), claim)
    return {name: {claim: kind for (kind, _, _), claim in claims.items()} for name, claims in by_name.items()}


def _rivals(name: str, claimed: Mapping[Claim, Kind]) -> Iterator[Candidate]:
    who = "; ".join(str(claim.origin.where()) for claim in claimed)
    problem = PluginError(
        f"{len(claimed)} entry points claim one name: {who}",
        where=Where(branch=name),
        hint="uninstall one, or disable the name",
    )
    for claim, kind in claimed.items():
        yield Candidate(name=name, kind=kind, origin=claim.origin, problems=(problem,))


def _claimed(name: str, claim: Claim, kind: Kind, mount: Mapping[str, Any], hooks: Hooks) -> Candidate:
    bare = Candidate(name=name, kind=kind, origin=claim.origin)
    if problem := name_problem(name):
        return _wrong(bare, [PluginError(problem)])
    if kind == "migrations":
        return _with_spec(bare, {"name": name, "migrations": claim.value}, mount, claim)
    try:
        plugin = guarded(claim.entry_point.load, "it does not import")
    except PluginError as error:
        return _wrong(bare, [error])
    spec, problems = hooks.examine(name, plugin)
    if spec is None:
        return _wrong(bare, problems)
    if spec.name != name:
        problems.append(PluginError(f"its PluginSpec says that its name is {spec.name!r}"))
        return _wrong(replace(bare, spec=spec), problems)
    return _wrong(_with_spec(replace(bare, plugin=plugin), _said(spec), mount), problems)


def given(
    spec: PluginSpec,
    plugin: object,
    *,
    origin: Origin,
    problems: Iterable[PluginError],
    settings: Settings,
    installed: Installed,
) -> Candidate:
    """One that the host itself gives, with what is wrong with its hooks; the host's overrides applied."""
    bare = Candidate(name=spec.name, kind="plugin", origin=origin, plugin=plugin)
    candidate = _with_spec(bare, _said(spec), settings.mounts.get(spec.name) or _NOTHING)
    return _wrong(_owned(candidate, installed), problems)


def _said(spec: PluginSpec) -> dict[str, Any]:
    return {field: getattr(spec, field) for field in PluginSpec.__dataclass_fields__}


def _mounted(name: str, settings: Settings, known: Iterable[str], installed: Installed) -> Candidate:
    mount = settings.mounts[name]
    candidate = Candidate(name=name, kind="mount", origin=_mount_origin(name))
    if "migrations" not in mount:
        hint = did_you_mean(name, known) or 'say migrations = "package:folder"'
        return _wrong(
            candidate, [PluginError("it has no migrations, and no such plugin is installed", hint=hint)]
        )
    candidate = _with_spec(candidate, {"name": name}, mount)
    return _owned(candidate, installed)


def _core(settings: Settings, location: str, installed: Installed) -> Candidate:
    candidate = Candidate(name=CORE, kind="core", origin=Origin(entry_point=f"core = {location}"))
    if off := off_reason(CORE, settings):
        return replace(candidate, off=off)
    try:
        folder = locate(location)
    except PluginError as error:
        return _wrong(candidate, [error])
    schema = settings.core_schema
    branch = Branch(
        name=CORE,
        namespace=Namespace(schema=schema, version_table=version_table_for(CORE, schema)),
        locations=revision_folders(folder),
        script_location=folder,
        origin=candidate.origin,
    )
    return _owned(replace(candidate, branch=branch), installed)


def _with_spec(
    candidate: Candidate, said: Mapping[str, Any], mount: Mapping[str, Any], claim: Claim | None = None
) -> Candidate:
    overrides = {key: value for key, value in mount.items() if key in SPEC_KEYS}
    try:
        spec = PluginSpec(**{**said, **overrides})
    except PluginError as error:
        what = f"mounts.{candidate.name}" if mount else "its entry point"
        reasons = error.message.partition(": ")[2]  # its beginning speaks of a PluginSpec that nobody wrote
        return _wrong(candidate, [PluginError(f"{what} is wrong: {reasons}")])
    requires = tuple(Requirement.parse(text) for text in spec.requires)
    candidate = replace(candidate, spec=spec, requires=requires)
    if spec.migrations is None:
        return candidate
    try:
        if claim is not None and "migrations" not in mount:
            folders = list(declared_folders(claim.entry_point))
        else:
            folders = [locate(place) for place in spec.places]
    except PluginError as error:
        return _wrong(candidate, [error])
    branch = Branch(
        name=spec.name,
        namespace=Namespace(
            schema=spec.schema,
            version_table=spec.version_table or version_table_for(spec.name, spec.schema),
        ),
        locations=tuple(dict.fromkeys(place for folder in folders for place in revision_folders(folder))),
        script_location=folders[0],
        origin=candidate.origin,
        requires=requires,
        after=spec.after,
        target=spec.target,
        metadata=spec.metadata,
        extensions=spec.extensions,
        recursive=spec.recursive,
        preload=spec.preload,
        x_arguments=mount.get("x_arguments", _NOTHING),
        bootstrap=mount.get("bootstrap"),
        options=mount.get("options", _NOTHING),
    )
    return replace(candidate, branch=branch)


def _owned(candidate: Candidate, installed: Installed) -> Candidate:
    """The same with the distribution that ships its folder: nobody declared which one that is."""
    if candidate.branch is None:
        return candidate
    owner = owner_of(candidate.branch.script_location, installed.distributions)
    origin = replace(owner, entry_point=candidate.origin.entry_point)
    return replace(candidate, origin=origin, branch=replace(candidate.branch, origin=origin))


def _not_installed(settings: Settings, known: set[str]) -> Iterator[Candidate]:
    for name in sorted(set(settings.plugins or ()) - known):
        candidate = Candidate(name=name, kind="plugin", origin=Origin())
        problem = PluginError(
            "the setting `plugins` names it, but it is not installed", hint=did_you_mean(name, sorted(known))
        )
        yield _wrong(candidate, [problem])


def _mount_origin(name: str) -> Origin:
    return Origin(entry_point=f"mounts.{name}")


def _wrong(candidate: Candidate, problems: Iterable[PluginError]) -> Candidate:
    for problem in problems:
        problem.where = candidate.origin.where(branch=candidate.name, file=problem.where.file)
    return replace(candidate, problems=(*candidate.problems, *problems))
