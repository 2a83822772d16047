"""An Alembic ScriptDirectory that knows every header and executes only the files that are run."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import cached_property
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from types import CodeType, ModuleType
from typing import Final

from alembic.script import Script, ScriptDirectory
from alembic.script.revision import Revision as AlembicRevision
from alembic.script.revision import RevisionMap

from corehost.alembic.compiled import compile_file, imports_only, mentions, module_name
from corehost.core.revision import Revision
from corehost.core.tree import BranchTree

_ORM: Final = "sqlalchemy.orm"
_PLAIN: Final = sys.stdlib_module_names | {"alembic", "corehost", "sqlalchemy"}
_DRIVER: Final = frozenset(
    f"{prefix}{name}"
    for prefix in ("", "set_")
    for name in ("autocommit", "deferrable", "isolation_level", "read_only")
) | {"dbapi_connection", "driver_connection"}


class LazyScript(Script):
    """A Script whose file is executed when its module is first asked for."""

    def __init__(self, header: Revision, dependencies: tuple[str, ...]):
        # Not Script.__init__: that one reads the header from the executed module.
        AlembicRevision.__init__(
            self,
            header.revision,
            header.down_revision or None,
            dependencies=dependencies or None,
            branch_labels=header.branch_labels or None,
        )
        self.path = header.path

    @cached_property
    def code(self) -> CodeType:
        """The compiled revision file. Raises RevisionFileError."""
        return compile_file(self.path)

    @property
    def may_touch_driver(self) -> bool:
        """Whether it mentions the driver's connection, or what nobody may set there in a transaction."""
        return mentions(self.code, _DRIVER)

    @cached_property
    def module(self) -> ModuleType:  # type: ignore[override]
        """The executed revision file. Raises RevisionFileError where it is not Python, and its own errors."""
        if _ORM not in sys.modules and (mentions(self.code, {"orm"}) or not imports_only(self.code, _PLAIN)):
            # Files in the wild, and what they import, use sa.orm without importing it: an env.py with
            # models has done so before.
            import_module(_ORM)
        # As Alembic's load_python_file, but for that import, which takes a tenth of a second.
        spec = spec_from_file_location(module_name(self.path), self.path)
        assert spec is not None
        module = module_from_spec(spec)
        exec(self.code, module.__dict__)
        return module


def script_directory(tree: BranchTree) -> ScriptDirectory:
    """The branch alone, as Alembic sees it: what it needs of other branches is left out.

    Alembic would raise KeyError for a dependency that is not in its own map; across branches the
    order is corehost's.
    """
    scripts = ScriptDirectory(
        str(tree.branch.script_location), version_locations=[str(path) for path in tree.branch.locations]
    )

    def load() -> Iterator[LazyScript]:
        for header in tree.revisions.values():
            parents = tree.parents[header.revision]
            yield LazyScript(header, tuple(p for p in parents if p not in header.down_revision))

    scripts.revision_map = RevisionMap(load)
    return scripts
