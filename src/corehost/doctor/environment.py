"""What a tree's env.py does that corehost, which runs no env.py, has to be told: pure."""

from __future__ import annotations

import ast
import os
import re
import sys
from collections.abc import Callable, Iterator

from corehost.core.namespace import schema_problem
from corehost.doctor.model import Finding
from corehost.doctor.sighted import Sighted
from corehost.doctor.syntax import call_name, constant, dotted, nodes, texts

ModuleText = Callable[[str], str | None]
"""The source of a module that can be found without importing anything; else None."""

_QUIET = sys.stdlib_module_names | {"alembic", "sqlalchemy"}
_EXECUTES = frozenset(("execute", "text", "exec_driver_sql", "DDL"))
_FOLDER_NAME = "os.path.basename(os.path.dirname(__file__))"
_NEVER_RUN = {
    "include_schemas": "only matters to autogenerate",
    "process_revision_directives": "only matters to autogenerate",
    "on_version_apply": "is not called: use corehost_step_finished",
}


class Environment(Sighted):
    """One env.py."""

    def __init__(self, module: ast.Module, path: str, module_text: ModuleText):
        super().__init__(nodes(module, without=""), path)
        self._module_text = module_text
        self._calls = [node for node in self._nodes if isinstance(node, ast.Call)]
        self._imported = dict(_imported(self._nodes))

    def findings(self, *, needs_metadata: bool = False) -> Iterator[Finding]:
        """Everything that shows; ``needs_metadata``: some revision uses target_metadata."""
        words = {
            word.arg: word.value
            for call in self._calls
            if call_name(call) == "configure"
            for word in call.keywords
            if word.arg is not None
        }
        yield from self._version_table(words)
        yield from self._metadata(words.get("target_metadata"), needs_metadata)
        for word, why in _NEVER_RUN.items():
            if word in words and not _is_false(words[word]):
                yield self._found("info", "env-not-run", f"env.py gives {word}, which {why}", words[word])
        yield from self._others()

    def _version_table(self, words: dict[str, ast.expr]) -> Iterator[Finding]:
        if (node := words.get("version_table")) is not None:
            name = self._text(node)
            if name is None:
                message = (
                    "env.py computes the version table's name: `version_table` keeps it, where it matters"
                )
                yield self._found("warning", "version-table", message, node, proposal='version_table = "..."')
            elif name != "alembic_version":
                message = f"env.py keeps its versions in {name}"
                yield self._found("info", "version-table", message, node, keys={"version_table": name})
        if (node := words.get("version_table_schema")) is not None:
            name = self._text(node)
            what = repr(name) if name else "a schema that it computes"
            keys = {"schema": name} if name and schema_problem(name) is None else {}
            message = f"env.py keeps its versions in the schema {what}; corehost: in the mount's schema"
            yield self._found("info", "version-table-schema", message, node, keys=keys)

    def _metadata(self, node: ast.expr | None, needed: bool) -> Iterator[Finding]:
        place = node or self._assigned.get("target_metadata")
        name = self._traced(node or self._assigned.get("target_metadata"))
        if name is None:
            if needed and place is not None:
                message = "env.py's target_metadata cannot be traced to an import"
                yield self._found(
                    "warning", "metadata", message, place, proposal='metadata = "module:attribute"'
                )
            return
        assert place is not None
        source = self._module_text(name.partition(":")[0])
        if needed or (source is not None and "naming_convention" in source):
            reason = "revisions use it" if needed else "its module has a naming convention"
            message = f"env.py's target_metadata is {name}, and {reason}"
            yield self._found("info", "metadata", message, place, keys={"metadata": name})
        else:
            message = (
                f"env.py's target_metadata is {name}: say metadata = {name!r} if it has a naming convention"
            )
            yield self._found("info", "metadata", message, place)

    def _others(self) -> Iterator[Finding]:
        for call in self._calls:
            name = call_name(call)
            if name in ("create_all", "stamp"):
                message = (
                    f"env.py calls {name}: where a fresh database is made from models and stamped, "
                    "name in `bootstrap` a function of a connection that makes it"
                )
                proposal = 'bootstrap = "module:function"'
                yield self._found("warning", "bootstrap", message, call, proposal=proposal)
            elif name in ("listens_for", "listen"):
                message = "env.py listens to SQLAlchemy's events, which corehost does not run"
                yield self._found("info", "env-not-run", message, call)
            elif dotted(call.func).endswith("attributes.get") and call.args:
                key = constant(call.args[0])
                if key not in (None, "connection"):
                    message = f"env.py wants config.attributes[{key!r}], which corehost does not give"
                    yield self._found("info", "env-not-run", message, call)
        given = [call for call in self._calls if call_name(call) in _EXECUTES]
        executed = {text for call in given for text, _ in texts(list(ast.walk(call)))}
        for text, line in texts(self._nodes):
            if re.search(r"\bset\b.*\bsearch_path\b|^-csearch_path", text, re.IGNORECASE | re.DOTALL):
                message = "env.py sets a search_path; corehost sets its own: the mount's schema first"
                yield self._found("warning", "env-search-path", message, line)
            elif text in executed:
                message = (
                    f"env.py has SQL of its own, which corehost does not run: {' '.join(text.split())[:60]}"
                )
                yield self._found("info", "env-not-run", message, line)
        used = {node.id for node in self._nodes if isinstance(node, ast.Name)}
        unused = [
            module
            for name, module in self._imported.items()
            if name not in used and re.split(r"[.:]", module)[0] not in _QUIET
        ]
        if unused:
            names = ", ".join(sorted({module.replace(":", ".") for module in unused}))
            message = (
                f"env.py imports {names} without using it, perhaps for its effects; `preload` would do so"
            )
            yield self._found("info", "env-not-run", message, None)

    def _text(self, node: ast.expr) -> str | None:
        """A literal, or one put together from literals and the name of the folder."""
        match node:
            case ast.Constant(value=str(text)):
                return text
            case ast.Name(id=name) if name in self._assigned:
                return self._text(self._assigned[name])
            case ast.JoinedStr(values=parts):
                found = [self._text(part) for part in parts]
                return "".join(map(str, found)) if None not in found else None
            case ast.FormattedValue(value=value, conversion=-1, format_spec=None):
                return self._text(value)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                one, other = self._text(left), self._text(right)
                return one + other if one is not None and other is not None else None
            case ast.Call() if ast.unparse(node) == _FOLDER_NAME:
                return os.path.basename(os.path.dirname(self._path))
            case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(text)), attr="format"), args=[one]):
                filled = self._text(one)
                return text.replace("{}", filled) if filled is not None and text.count("{}") == 1 else None
        return None

    def _traced(self, node: ast.expr | None) -> str | None:
        """``module:attribute`` of an expression, through the names that the file assigns and imports."""
        for _ in range(3):
            if isinstance(node, ast.Name) and node.id in self._assigned:
                node = self._assigned[node.id]
        if isinstance(node, ast.Call):
            return None
        first, _, rest = dotted(node).partition(".")
        if not first or (module := self._imported.get(first)) is None:
            return None
        if ":" in module:
            owner, _, attribute = module.partition(":")
            whole = f"{owner}.{attribute}"
            text = self._module_text(owner) or ""
            if rest and attribute.islower() and not re.search(rf"^{attribute}\b.*=", text, re.MULTILINE):
                return f"{whole}:{rest}"  # what was imported is a module
            return f"{module}.{rest}" if rest else module
        return _split(f"{first}.{rest}" if module.startswith(f"{first}.") else f"{module}.{rest}", module)


def _split(path: str, module: str) -> str | None:
    """``module:attribute`` of a whole path, given the longest module that was imported."""
    rest = path.removeprefix(module).lstrip(".")
    return f"{module}:{rest}" if rest and path.startswith(module) else None


def _imported(found: list[ast.AST]) -> Iterator[tuple[str, str]]:
    """Name -> ``module`` or ``module:attribute`` that it stands for."""
    for node in found:
        if isinstance(node, ast.Import):
            for item in node.names:
                yield item.asname or item.name.partition(".")[0], item.name
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for item in node.names:
                if node.module != "__future__":
                    yield item.asname or item.name, f"{node.module}:{item.name}"


def _is_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and not node.value
