"""The mount that hosts a tree, and the configuration file that holds it: pure."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

from corehost.doctor.model import Finding, PackageReport

_DEFAULT_GROUPS = ("corehost.migrations",)


def mount_of(
    name: str, migrations: str | tuple[str, ...], recursive: bool, findings: Iterable[Finding]
) -> Mapping[str, Any]:
    """The keys of a mount: lists are joined, of other keys that differ the first counts."""
    mount: dict[str, Any] = {"migrations": migrations}
    if recursive:
        mount["recursive"] = True
    for finding in findings:
        for key, value in finding.keys.items():
            if isinstance(value, list):
                mount[key] = sorted({*mount.get(key, ()), *value})
            else:
                mount.setdefault(key, value)
    if mount.get("schema") == name:
        del mount["schema"]
    return mount


def as_toml(report: PackageReport) -> str:
    """What can be pasted into a corehost.toml; what is to be decided on stands in comments."""
    trees = [tree for tree in report.trees if tree.verdict != "refuses"]
    lines = []
    others = {n.name: n for tree in trees for n in tree.neighbours}
    groups = sorted(
        {*(t.group for t in trees), *(n.group for n in others.values())} - {*_DEFAULT_GROUPS, None}, key=str
    )
    if groups:
        lines += [f"migration_groups = {_value([*_DEFAULT_GROUPS, *groups])}", ""]
    if any(finding.code == "application-context" for tree in trees for finding in tree.findings):
        lines += ['# hooks = ["..."]  # a module with a hook corehost_migration_context', ""]
    for tree in trees:
        keys = {key: value for key, value in tree.mount.items() if not (tree.group and key == "migrations")}
        if keys or tree.proposals:
            lines.append(f"[mounts.{tree.name}]")
            lines += [f"{key} = {_value(value)}" for key, value in keys.items()]
            lines += [f"# {proposal}" for proposal in tree.proposals]
            lines.append("")
    for name in sorted(others.keys() - {tree.name for tree in trees}):
        if others[name].group is None:
            lines += [f"[mounts.{name}]", f"migrations = {_value(others[name].migrations)}"]
            lines += ["recursive = true"] * others[name].recursive + [""]
    return "\n".join(lines)


def as_text(report: PackageReport) -> str:
    """The report for people."""
    title = " ".join(filter(None, (report.distribution or report.package, report.version)))
    lines = [f"{title}: {_count(len(report.trees), 'migration tree')}", ""]
    for tree in report.trees:
        sizes = (("revision", tree.revisions), ("head", len(tree.heads)), ("base", len(tree.bases)))
        size = ", ".join(_count(number, what) for what, number in sizes)
        labels = f", labels {', '.join(tree.labels)}" if tree.labels else ""
        places = tree.migrations if isinstance(tree.migrations, str) else ", ".join(tree.migrations)
        lines += [f"{tree.name}: {tree.verdict}", f"  {places}: {size}{labels}"]
        for message, found in _alike(tree.findings).items():
            files = sorted({_place(finding, tree.folder) for finding in found} - {""})
            more = f" (and {len(files) - 1} more)" if len(files) > 1 else ""
            where = f" ({files[0]}){more}" if files else ""
            text = f"{found[0].severity}: {message}{where} [{found[0].code}]"
            lines += textwrap.wrap(
                text,
                108,
                initial_indent="  ",
                subsequent_indent="      ",
                break_long_words=False,
                break_on_hyphens=False,
            )
        lines.append("")
    if toml := as_toml(report):
        lines += ["# corehost.toml", toml]
    return "\n".join(lines)


def _alike(findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    alike: dict[str, list[Finding]] = {}
    for finding in findings:
        alike.setdefault(finding.message, []).append(finding)
    return alike


def _place(finding: Finding, folder: str) -> str:
    if finding.file is None:
        return ""
    file = finding.file.removeprefix(folder).lstrip("/")
    return f"{file}:{finding.line}" if finding.line else file


def _count(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_value(item) for item in value)}]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
