"""``corehost demo``."""

from __future__ import annotations

import os
import sys

import click


@click.command("demo", context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--instances",
    type=click.IntRange(1, 64),
    default=8,
    show_default=True,
    metavar="N",
    help="How many host processes start at once.",
)
@click.option("--keep", is_flag=True, help="Leave the database up at the end, for a look, until Ctrl-C.")
def demo(instances: int, keep: bool) -> None:
    """Let a fleet of real host processes migrate the example plugins on a local PostgreSQL.

    Three times so many start at once: on an empty database, with nothing to do, and with a new version of
    one plugin. Needs no database; leaves nothing behind.

    Exit code 0: all went as it should; 1: it did not, and the reason is told; 2: the example plugins or the
    server programs are not installed.
    """
    from corehost.demo.screen import Screen
    from corehost.demo.story import tell

    screen: Screen
    if sys.stdout.isatty() and os.environ.get("TERM") != "dumb":
        from corehost.demo.terminal import Terminal

        screen = Terminal()
    else:
        from corehost.demo.lines import Lines

        screen = Lines()
    tell(screen, instances=instances, keep=keep)
