"""What a revision file does that its host should know of, from its syntax tree: pure."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from corehost.alembic.reach import reach
from corehost.alembic.statements import ends_transaction, runs_outside_transaction
from corehost.core.namespace import schema_problem
from corehost.doctor.model import Finding
from corehost.doctor.sighted import Sighted
from corehost.doctor.syntax import call_name, constant, dotted, keyword, nodes, texts

_PUBLIC = re.compile(r"\bpublic\.\"?([A-Za-z_]\w*)")
_SQL = re.compile(r"\b(?:select|insert|update|delete|create|alter|drop|from|table|type|::)", re.IGNORECASE)
_EXTENSION = re.compile(
    r"create\s+extension\s+(?:if\s+not\s+exists\s+)?(?:\"([^\"]+)\"|([\w-]+))", re.IGNORECASE
)
_ENGINES = frozenset(("create_engine", "engine_from_config", "create_async_engine"))
_SESSIONS = frozenset(("Session", "sessionmaker", "scoped_session"))
_GIVEN = re.compile(r"(?:^|\.)(?:get_bind|get_context|connection|bind|conn|connect|get_sync_bind)$")
_APPLICATION = frozenset(("current_app", "app_context", "has_app_context"))
_SYSTEM = frozenset(("public", "information_schema"))


class Look(Sighted):
    """One revision file."""

    def __init__(self, module: ast.Module, path: str):
        super().__init__(nodes(module), path)
        self._module = module
        self._executed = frozenset(reach(module).executed)
        self._parameters = {node.arg for node in self._nodes if isinstance(node, ast.arg)}

    def findings(self) -> Iterator[Finding]:
        """Everything that shows."""
        yield from self._upgrade()
        for node in self._nodes:
            if isinstance(node, ast.Call):
                yield from self._call(node)
            elif isinstance(node, ast.Attribute | ast.Name | ast.alias):
                yield from self._name(node)
            elif isinstance(node, ast.Subscript):
                yield from self._option(node.value, constant(node.slice), node.lineno)
        for text, line in texts(self._nodes):
            yield from self._text(text, line)

    def _upgrade(self) -> Iterator[Finding]:
        bound: dict[str, ast.AST] = {}
        for node in ast.walk(self._module):
            match node:
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                    bound[name] = node
                case ast.Name(id=name, ctx=ast.Store()):
                    bound[name] = node
                case ast.alias(name=name, asname=other):
                    bound[other or name] = node
        if "upgrade" not in bound and "*" not in bound:
            yield self._found("error", "no-upgrade", "the file has no upgrade function", None)
        function = bound.get("upgrade")
        if isinstance(function, ast.AsyncFunctionDef):
            message = "upgrade is async, which Alembic's own call of it does not await"
            yield self._found("error", "upgrade-arguments", message, function.lineno)
        elif isinstance(function, ast.FunctionDef):
            given = function.args
            needed = len(given.posonlyargs) + len(given.args) - len(given.defaults)
            if needed > 0 or any(default is None for default in given.kw_defaults):
                message = (
                    "upgrade wants arguments, as of a template for several databases; corehost gives none"
                )
                yield self._found("error", "upgrade-arguments", message, function.lineno)

    def _call(self, call: ast.Call) -> Iterator[Finding]:
        name, line = call_name(call), call.lineno
        schemas = [constant(word.value) for word in call.keywords if (word.arg or "").endswith("schema")]
        if dotted(call.func).startswith("op.") and any(
            constant(value) == "public" for value in call.args[:1]
        ):
            schemas.append("public")
        for schema in filter(None, schemas):
            yield from self._schema(schema, line)
        if name in _ENGINES:
            yield self._engine(f"{name}() opens a connection of its own, which no lock covers", line)
        if name in _SESSIONS and not self._is_given(self._bind_of(call)):
            yield self._engine(f"{name}() is bound to something else than op.get_bind()", line)
        if name == "commit":
            message = (
                "it commits by itself: its step is not one transaction, and a crash may leave it half done"
            )
            yield self._found("warning", "commits", message, line)
        if name == "autocommit_block":
            message = (
                "it has an autocommit_block: after a crash its step has to be settled with `corehost resolve`"
            )
            yield self._found("info", "autocommit-block", message, line)
        concurrently = keyword(call, "postgresql_concurrently")
        if isinstance(concurrently, ast.Constant) and concurrently.value is True:
            yield self._concurrently(line)
        if name == "get_x_argument" and not self._reads_one(call):
            yield self._x_argument(None, line)
        if name in ("get_main_option", "get_section_option", "get_alembic_option") and call.args:
            option = constant(call.args[-1] if name == "get_section_option" else call.args[0])
            if option is not None and option not in ("script_location", "sqlalchemy.url"):
                message = f"it reads the Alembic option {option!r}: say its value in `options`"
                proposal = f'options = {{ {option} = "..." }}'
                yield self._found("warning", "option", message, line, proposal=proposal)
            elif option == "sqlalchemy.url":
                message = (
                    "it reads sqlalchemy.url, which corehost does not set, perhaps for an engine of its own"
                )
                yield self._found("warning", "option", message, line)
        if name == "get" and isinstance(call.func, ast.Attribute) and call.args:
            yield from self._option(call.func.value, constant(call.args[0]), line)

    def _reads_one(self, call: ast.Call) -> bool:
        return any(
            (isinstance(node, ast.Subscript) and node.value is call and constant(node.slice) is not None)
            or (isinstance(node, ast.Attribute) and node.value is call and node.attr == "get")
            for node in self._nodes
        )

    def _option(self, owner: ast.expr, key: str | None, line: int) -> Iterator[Finding]:
        """A mapping that is read: x arguments, or what env.py has configured."""
        if isinstance(owner, ast.Name):
            owner = self._assigned.get(owner.id, owner)
        path = dotted(owner)
        if key is not None and path.endswith("get_x_argument"):
            yield self._x_argument(key, line)
        elif path.endswith(".opts") and key == "target_metadata":
            yield self._metadata(line)
        elif path.endswith((".opts", "config.attributes")):
            what = repr(key) if key is not None else "something"
            message = f"it reads {what} that env.py configures; corehost runs no env.py, so it is not there"
            yield self._found("warning", "env-option", message, line)

    def _x_argument(self, key: str | None, line: int) -> Finding:
        what = f"the -x argument {key!r}" if key else "-x arguments"
        proposal = f'x_arguments = {{ {key or "name"} = "..." }}'
        message = f"it reads {what}: say its value in `x_arguments`"
        return self._found("warning", "x-argument", message, line, proposal=proposal)

    def _metadata(self, line: int) -> Finding:
        message = "it uses target_metadata: say which in `metadata`"
        return self._found("warning", "uses-metadata", message, line)

    def _name(self, node: ast.Attribute | ast.Name | ast.alias) -> Iterator[Finding]:
        name = (
            node.attr
            if isinstance(node, ast.Attribute)
            else node.id
            if isinstance(node, ast.Name)
            else node.name
        )
        if name in _APPLICATION and isinstance(node, ast.alias | ast.Attribute):
            message = (
                f"it uses {name}: enter an application context around its steps, "
                "in a hook corehost_migration_context of the host"
            )
            yield self._found("warning", "application-context", message, node.lineno)
        elif isinstance(node, ast.Attribute) and dotted(node) in ("db.session", "db.engine"):
            message = f"{dotted(node)} is the application's own connection, which no lock covers"
            yield self._found("warning", "own-engine", message, node.lineno)
        elif isinstance(node, ast.Attribute) and name == "target_metadata":
            yield self._metadata(node.lineno)

    def _text(self, text: str, line: int) -> Iterator[Finding]:
        for found in _EXTENSION.finditer(text):
            extension = found[1] or found[2]
            message = f"it creates the extension {extension}: `extensions` makes sure of it beforehand"
            yield self._found("info", "extension", message, line, keys={"extensions": [extension]})
        if _SQL.search(text):
            names = sorted(set(_PUBLIC.findall(text)))
            if names:
                message = f"its SQL names the schema public: {', '.join(f'public.{name}' for name in names)}"
                yield self._found("warning", "public-in-sql", message, line)
        if text in self._executed and ends_transaction(text):
            message = "its SQL ends the transaction: its step may be left half done by a crash"
            yield self._found("warning", "commits", message, line)
        if runs_outside_transaction(text):
            yield self._concurrently(line)

    def _schema(self, schema: str, line: int) -> Iterator[Finding]:
        if schema_problem(schema) is not None:
            return
        keys = {"schema": schema}
        message = (
            f"the schema {schema!r} is written into it: what it names lies there, not in the mount's schema"
        )
        yield self._found("warning", "fixed-schema", message, line, keys=keys)

    def _concurrently(self, line: int) -> Finding:
        message = "it does what no transaction allows, such as an index CONCURRENTLY"
        return self._found("info", "concurrently", message, line)

    def _engine(self, message: str, line: int) -> Finding:
        return self._found("warning", "own-engine", message, line)

    def _bind_of(self, call: ast.Call) -> ast.expr | None:
        return keyword(call, "bind") or (call.args[0] if call.args else None)

    def _is_given(self, bind: ast.expr | None, depth: int = 0) -> bool:
        """Whether a session's connection comes from Alembic, as far as the file shows."""
        if bind is None or depth > 3:
            return True
        if isinstance(bind, ast.Name):
            if bind.id in self._parameters:
                return True
            return bind.id in self._assigned and self._is_given(self._assigned[bind.id], depth + 1)
        path = dotted(bind)
        if path.rpartition(".")[2] in _SESSIONS:
            return True
        return bool(_GIVEN.search(path)) or path.startswith(("op.", "context."))
