"""The OpenAPI 3.1 description of the health endpoints, under whatever paths a host gives them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, get_args

from corehost.core.checks import CheckStatus
from corehost.core.results import ReadinessState
from corehost.core.version import VERSION
from corehost.http.answers import HEADERS
from corehost.web.paths import Paths

Json = dict[str, Any]

_NOTHING: Final[Mapping[str, Json]] = {}
_READY: Final = ("ready", "degraded")
_TEXT: Final = {"type": "string"}
_COUNT: Final = {"type": "integer", "minimum": 0}
_OPTIONAL_TEXT: Final = {"type": ["string", "null"]}
_OPTIONAL_COUNT: Final = {"type": ["integer", "null"], "minimum": 0}
_SECONDS: Final = {"type": "number", "minimum": 0}
_MOMENT: Final = {"type": "string", "format": "date-time"}

# Every key that Readiness.as_dict may write beside those that are always there; others may be added, and
# readers ignore what they do not know.
_DETAILS: Final[Mapping[str, Json]] = {
    "branch": {**_TEXT, "description": "the branch being migrated, or the one that failed"},
    "revision": {**_TEXT, "description": "the revision being run, or the one that failed"},
    "step": {**_COUNT, "description": "which step of the plan is being run, from 1"},
    "steps": {**_COUNT, "description": "how many steps the plan had"},
    "message": {**_TEXT, "description": "what is waited for, or what failed"},
    "since": {**_MOMENT, "description": "when this state was entered"},
    "seconds": {**_SECONDS, "description": "how long the step has been running"},
    "rows_done": {**_COUNT, "description": "how many rows a data migration has done"},
    "rows_total": {**_COUNT, "description": "how many rows it has to do"},
    "checks": {"type": "array", "items": {"$ref": "#/components/schemas/Check"}},
    "holder": {"$ref": "#/components/schemas/Holder"},
    "plugins": {
        "type": "object",
        "additionalProperties": {"$ref": "#/components/schemas/Plugin"},
        "description": "plugins that were added while the host served, or that it goes on without",
    },
}
_CHECK: Final[Mapping[str, Json]] = {
    "plugin": _TEXT,
    "name": _TEXT,
    "critical": {"type": "boolean"},
    "status": {"enum": [*get_args(CheckStatus)]},
    "message": _OPTIONAL_TEXT,
    "checked_at": {"type": ["string", "null"], "format": "date-time"},
    "duration_ms": {"type": ["number", "null"], "minimum": 0},
}
_HOLDER: Final[Mapping[str, Json]] = {
    "host": _TEXT,
    "pid": _COUNT,
    "branch": _OPTIONAL_TEXT,
    "revision": _OPTIONAL_TEXT,
    "step": _OPTIONAL_COUNT,
    "steps": _OPTIONAL_COUNT,
    "rows_done": _OPTIONAL_COUNT,
    "rows_total": _OPTIONAL_COUNT,
    "seconds": _SECONDS,
}
_HEADERS: Final[Json] = {name: {"required": True, "schema": {"const": value}} for name, value in HEADERS}


def description(paths: Paths) -> Json:
    """The document; it depends on the paths alone."""
    operations = {
        paths.live: _operation(
            "live", "Whether the process lives.", {"200": _answer("It does.", "Liveness")}
        ),
        paths.health: _readiness("health", "Whether the host may serve, and how it stands, in detail."),
        paths.ready: _readiness("ready", "Whether the host may serve."),
        paths.metrics: _metrics(),
        paths.openapi: _operation(
            "openapi", "This description.", {"200": _answer("OpenAPI 3.1.", {"type": "object"})}
        ),
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "corehost's health endpoints",
            "version": VERSION,
            "description": "They answer from memory, without a database round trip. Where a token is set, "
            "readiness without it is `ready` and `state` only.",
        },
        "paths": {path: _with_head(found) for path, found in operations.items() if path is not None},
        "components": {
            "schemas": {
                "Liveness": _document({"live": {"const": True}}),
                "Ready": _document({"ready": {"const": True}, "state": {"enum": [*_READY]}}, _DETAILS),
                "NotReady": _document(
                    {"ready": {"const": False}, "state": {"enum": [*_not_ready()]}}, _DETAILS
                ),
                "Problem": _document({"message": _TEXT}),
                "Check": _object(_CHECK),
                "Holder": _object(_HOLDER),
                "Plugin": _object(
                    {"ready": {"type": "boolean"}, "state": {"enum": [*get_args(ReadinessState)]}}, _DETAILS
                ),
            },
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _not_ready() -> list[str]:
    # degraded, too: with readiness_needs_database, or a critical health check that fails
    return [state for state in get_args(ReadinessState) if state != "ready"]


def _readiness(name: str, summary: str) -> Json:
    late = _answer("It may not yet, or not any more.", "NotReady")
    seconds = {"type": "string", "pattern": "^[0-9]+$"}
    late["headers"] = {**_HEADERS, "Retry-After": {"required": True, "schema": seconds}}
    answers = {"200": _answer("It may.", "Ready"), "503": late}
    return {**_operation(name, summary, answers), "security": [{}, {"token": []}]}


def _metrics() -> Json:
    kinds = ("text/plain", "application/openmetrics-text")
    numbers = {"description": "The numbers.", "headers": _HEADERS, "content": {kind: {} for kind in kinds}}
    challenge = {"WWW-Authenticate": {"required": True, "schema": _TEXT}}
    strange = {**_answer("Without the token.", "Problem"), "headers": {**_HEADERS, **challenge}}
    found = _operation("metrics", "Numbers for Prometheus.", {"200": numbers, "401": strange})
    return {**found, "security": [{}, {"token": []}]}


def _operation(name: str, summary: str, answers: Json) -> Json:
    return {"operationId": name, "summary": summary, "responses": answers}


def _answer(text: str, schema: str | Json) -> Json:
    named = {"$ref": f"#/components/schemas/{schema}"} if isinstance(schema, str) else schema
    return {"description": text, "headers": _HEADERS, "content": {"application/json": {"schema": named}}}


def _with_head(operation: Json) -> Json:
    """The path's GET, and HEAD, which is answered alike but for the body."""
    bare = {
        status: {key: value for key, value in answer.items() if key != "content"}
        for status, answer in operation["responses"].items()
    }
    return {
        "get": operation,
        "head": {**operation, "operationId": f"{operation['operationId']}_head", "responses": bare},
    }


def _document(always: Mapping[str, Json], sometimes: Mapping[str, Json] = _NOTHING) -> Json:
    return _object({"format_version": {"const": "1.0"}, **always}, sometimes)


def _object(always: Mapping[str, Json], sometimes: Mapping[str, Json] = _NOTHING) -> Json:
    return {
        "type": "object",
        "required": [*always],
        "properties": {**always, **sometimes},
        "additionalProperties": True,
    }
