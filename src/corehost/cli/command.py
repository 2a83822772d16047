"""What all commands have in common: their options, their JSON document, how they end."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Final

import click

from corehost.cli import logs, output
from corehost.cli.invocation import Invocation
from corehost.cli.problems import problem_of, tell

Body = Callable[..., int | None]

CONTEXT: Final[Mapping[str, Any]] = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
"""How click shows help, of every command."""


class ReportingCommand(click.Command):
    """A command that can report as JSON."""

    def __init__(self, *args: Any, document: Mapping[str, Any], **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.document = document
        """Its document's keys, with what they hold as long as nothing is known."""


def reporting(name: str, document: Mapping[str, Any]) -> Callable[[Body], ReportingCommand]:
    """Make a command of a function of an Invocation and of its own options.

    The function returns the exit code (None: 0) or raises; either way the document is written, once.
    """

    def made(body: Body) -> ReportingCommand:
        return ReportingCommand(
            name,
            callback=lambda **parameters: _call(body, document, parameters),
            params=_parameters(body, as_json=True),
            help=inspect.getdoc(body),
            context_settings=dict(CONTEXT),
            document=document,
        )

    return made


def silent(name: str, **context: Any) -> Callable[[Body], click.Command]:
    """Make a command of such a function that reports nothing: its standard output is another program's.

    ``context`` are further settings of click's context.
    """

    def made(body: Body) -> click.Command:
        return click.Command(
            name,
            callback=lambda **parameters: _call(body, {}, parameters),
            params=_parameters(body, as_json=False),
            help=inspect.getdoc(body),
            context_settings={**CONTEXT, **context},
        )

    return made


def _parameters(body: Body, *, as_json: bool) -> list[click.Parameter]:
    one_document = "Write one JSON document to standard output."
    return [
        # click's decorators collect from the innermost outwards
        *reversed(getattr(body, "__click_params__", ())),
        click.Option(["--database-url"], metavar="URL", help="The database; wins over other settings."),
        click.Option(["--config"], metavar="FILE", help="Read the settings from this file."),
        *([click.Option(["--json", "as_json"], is_flag=True, help=one_document)] if as_json else ()),
        click.Option(["-v", "--verbose"], is_flag=True, help="Log more, with tracebacks."),
        click.Option(["-q", "--quiet"], is_flag=True, help="Log errors only, show no progress."),
    ]


def _call(body: Body, document: Mapping[str, Any], parameters: dict[str, Any]) -> int:
    verbose, quiet = parameters.pop("verbose"), parameters.pop("quiet")
    as_json = parameters.pop("as_json", False) or parameters.get("format") == "json"
    if verbose and quiet:
        raise click.UsageError("-v and -q exclude each other")
    logs.configure(verbose=verbose, quiet=quiet)
    invocation = Invocation(
        document,
        database_url=parameters.pop("database_url"),
        config=parameters.pop("config"),
        as_json=as_json,
        quiet=quiet,
    )
    if not as_json:
        return _outcome(body, invocation, parameters)
    with output.set_aside():
        code = _outcome(body, invocation, parameters)
    output.write_document(invocation.document)
    return code


def _outcome(body: Body, invocation: Invocation, parameters: Mapping[str, Any]) -> int:
    try:
        return body(invocation, **parameters) or 0
    except click.UsageError:
        raise
    except BaseException as error:  # sys.exit() in a plugin's code must not pass for our exit code
        problem = problem_of(error)
        invocation.document["error"] = problem.as_dict()
        tell(problem)
        return problem.exit_code
