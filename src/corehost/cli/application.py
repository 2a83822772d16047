"""The group of all commands, each imported when it is called; and what becomes of errors."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any, Final

import click

from corehost.cli import output
from corehost.cli.command import CONTEXT, ReportingCommand
from corehost.cli.problems import problem_of, tell
from corehost.core.errors import did_you_mean
from corehost.core.version import VERSION

COMMANDS: Final = {
    "adopt": ("corehost.cli.commands.adopt:adopt", "Take over a database that others have migrated."),
    "check": ("corehost.cli.commands.check:check", "Say whether anything is pending, without any lock."),
    "console": ("corehost.cli.commands.console:console", "Serve a page that shows all of it live."),
    "demo": (
        "corehost.demo.command:demo",
        "Let a fleet of real host processes migrate the example plugins on a local PostgreSQL.",
    ),
    "doctor": ("corehost.cli.commands.doctor:doctor", "Say whether and how a package can be hosted."),
    "graph": ("corehost.cli.commands.graph:graph", "Draw the graph of the installed revisions."),
    "history": ("corehost.cli.commands.history:history", "Show the ledger: what was applied when, by whom."),
    "index": ("corehost.cli.commands.index:index", "Keep what is installed, for starts with nothing to do."),
    "lint": ("corehost.cli.commands.lint:lint", "Say what is dangerous in a plugin's revisions."),
    "migrate": ("corehost.cli.commands.migrate:migrate", "Wait for others, apply what is pending."),
    "plan": ("corehost.cli.commands.plan:plan", "Show the steps that a pass would run; change nothing."),
    "plugins": ("corehost.cli.commands.plugins:plugins", "Show what was found, and what is wrong with it."),
    "resolve": ("corehost.cli.commands.resolve:resolve", "Settle a step that a crash left in doubt."),
    "run": ("corehost.cli.commands.run:run", "Bring the database up to date, then run a command."),
    "stamp": ("corehost.cli.commands.stamp:stamp", "Say that a branch is at a revision; run nothing."),
    "status": ("corehost.cli.commands.status:status", "Show every branch: state, applied, pending, lock."),
    "unlock": (
        "corehost.cli.commands.unlock:unlock",
        "Name who holds a branch's lock, and end that session.",
    ),
    "wait": ("corehost.cli.commands.wait:wait", "Wait, without any lock, until the database is ready."),
}
"""Name -> where it is, and the first line of its help, so that the list of commands imports none of them."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, sorted."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; for an unknown one name the closest."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            hint = did_you_mean(args[0], COMMANDS)
            ctx.fail(f"there is no command {args[0]!r}{f', {hint}' if hint else ''}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in self.list_commands(ctx)])


@click.group(cls=LazyGroup, context_settings=dict(CONTEXT), no_args_is_help=False)
@click.version_option(VERSION, message="corehost %(version)s")
def corehost() -> None:
    """Migrate, and look at, a database whose tables belong to plugins.

    Exit codes: 0 done; 1 a migration failed, or anything unforeseen; 2 usage, configuration or a plugin is
    wrong; 3 pending; 4 timed out waiting; 5 this code cannot serve this database; 6 the database cannot be
    reached; 130 and 143 after SIGINT and SIGTERM.
    """


def run(arguments: Sequence[str]) -> int:
    """Run the command that the arguments name; returns its exit code."""
    try:
        result: Any = corehost.main(list(arguments), prog_name="corehost", standalone_mode=False)
    except SystemExit as end:  # click's own, for a reader of the help that has gone away
        return end.code if isinstance(end.code, int) else 1
    except BaseException as error:
        cause = error.__cause__ if isinstance(error, click.Abort) and error.__cause__ else error
        problem = problem_of(cause)
        tell(problem)
        if isinstance(error, click.UsageError) and "--json" in arguments:
            command = error.ctx.command if error.ctx is not None else None
            document = command.document if isinstance(command, ReportingCommand) else {}
            output.write_document({**document, "error": problem.as_dict()})
        return problem.exit_code
    return result if isinstance(result, int) else 0
