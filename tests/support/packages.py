"""Throw-away installed packages: a package folder and its ``.dist-info``, for use through PYTHONPATH."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path

OWN_GROUP = "tests.plugins"
"""A group for plugins of tests that are not to meet what is installed; see ``COREHOST_PLUGIN_GROUPS``."""
OWN_GROUPS = {"COREHOST_PLUGIN_GROUPS": OWN_GROUP, "COREHOST_MIGRATION_GROUPS": "tests.migrations"}
"""The environment of a process that is to see these alone."""

_HOOK_MODULE = """\
import corehost
from corehost import PluginSpec


@corehost.hookimpl
def corehost_register_plugin():
    return {spec}
"""


def write_plugin(
    site: Path,
    name: str,
    *,
    version: str = "1.0",
    spec_source: str | None = None,
    revisions: Mapping[str, str] | None = None,
    entry_points: Mapping[str, Mapping[str, str]] | None = None,
    hooks: str = "",
    files: Mapping[str, str] | None = None,
    distribution: str | None = None,
    group: str = "corehost.plugins",
) -> Path:
    """Write an installed package, and return its folder.

    Args:
        site: the folder for ``PYTHONPATH``.
        name: the import package, also the plugin's name where it has an entry point by default.
        version: the distribution's version.
        spec_source: the expression that the plugin's hook returns, such as that of :func:`spec`; None
            for a package without a hook.
        revisions: file name (``.py`` is added) to source, into ``migrations/versions``.
        entry_points: group to name to value; by default the plugin's own where it has a hook.
        hooks: source of further hook implementations, after the first.
        files: path in the package to content, for anything else.
        distribution: the distribution's name, by default the package's.
        group: the group of its own entry point; one of the tests' own where the examples may be installed.
    """
    package = site / name
    contents = {"__init__.py": "", **(files or {})}
    if spec_source is not None:
        contents["corehost_plugin.py"] = _HOOK_MODULE.format(spec=spec_source) + textwrap.dedent(hooks)
        entry_points = entry_points or {group: {name: f"{name}.corehost_plugin"}}
    for file, source in (revisions or {}).items():
        contents[f"migrations/versions/{file.removesuffix('.py')}.py"] = source
    for path, content in contents.items():
        (package / path).parent.mkdir(parents=True, exist_ok=True)
        (package / path).write_text(content)
    _write_dist_info(site, package, distribution or name, version, entry_points or {})
    return package


def spec(name: str, **fields: object) -> str:
    """The expression of a PluginSpec; its migrations are those of :func:`write_plugin` unless given."""
    given = {"name": name, "migrations": f"{name}:migrations", **fields}
    return f"PluginSpec({', '.join(f'{key}={value!r}' for key, value in given.items())})"


def revision_source(
    revision: str,
    down_revision: str | tuple[str, ...] | None = None,
    depends_on: str | tuple[str, ...] | None = None,
    upgrade: str = "pass",
    downgrade: str = "pass",
    *,
    branch_labels: str | tuple[str, ...] | None = None,
    message: str = "",
    head: str = "",
    **attributes: object,
) -> str:
    """The text of an Alembic revision file.

    Args:
        revision: its id.
        down_revision: the id before it, or several.
        depends_on: what it depends on beside.
        upgrade: the statements of ``upgrade()``; ``op`` and ``sa`` are imported.
        downgrade: those of ``downgrade()``.
        branch_labels: its branch labels.
        message: the first line of its docstring, by default the id.
        head: module-level statements after the header.
        attributes: further module attributes, such as ``phase="contract"``.
    """
    header = {
        "revision": revision,
        "down_revision": down_revision,
        "branch_labels": branch_labels,
        "depends_on": depends_on,
        **attributes,
    }
    lines = [f'"""{message or revision}"""', "import sqlalchemy as sa", "from alembic import op", ""]
    lines += [f"{name} = {value!r}" for name, value in header.items()]
    lines += ["", textwrap.dedent(head)]
    for function, body in (("upgrade", upgrade), ("downgrade", downgrade)):
        lines += ["", f"def {function}():", textwrap.indent(textwrap.dedent(body).strip(), "    "), ""]
    return "\n".join(lines)


def create_table(name: str) -> str:
    """The upgrade statement of a revision that makes one small table."""
    return f'op.create_table({name!r}, sa.Column("id", sa.Integer, primary_key=True))'


def _write_dist_info(
    site: Path, package: Path, distribution: str, version: str, entry_points: Mapping[str, Mapping[str, str]]
) -> None:
    folder = site / f"{distribution.replace('-', '_')}-{version}.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
    (folder / "INSTALLER").write_text("tests\n")
    groups = (
        "\n".join([f"[{group}]", *(f"{name} = {value}" for name, value in values.items()), ""])
        for group, values in entry_points.items()
    )
    (folder / "entry_points.txt").write_text("\n".join(groups))
    listed = [path for path in (*package.rglob("*"), *folder.iterdir()) if path.is_file()]
    record = [f"{path.relative_to(site)},," for path in listed] + [f"{folder.name}/RECORD,,"]
    (folder / "RECORD").write_text("\n".join(record) + "\n")
