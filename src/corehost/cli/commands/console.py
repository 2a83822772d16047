"""``corehost console``."""

from __future__ import annotations

import click

from corehost.cli.command import silent
from corehost.cli.invocation import Invocation
from corehost.core.errors import ConfigurationError


@silent("console")
@click.option(
    "--address",
    default="127.0.0.1",
    show_default=True,
    metavar="ADDRESS",
    help="Listen on this address. Any but a loopback one needs a token.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8090,
    show_default=True,
    metavar="PORT",
    help="Listen on this port; 0: any free one.",
)
def console(run: Invocation, address: str, port: int) -> None:
    """Serve a page that shows branches, locks, instances and history live, until Ctrl-C.

    Read-only: it takes no lock and writes nothing. A browser that is asked for a token gives it as the
    password, with any name.

    Exit code 2: the address cannot be listened on, or is open to others and there is no token.
    """
    from corehost.console.server import ConsoleServer, is_loopback

    settings = run.settings
    protected = settings.health_token is not None or settings.health_token_file is not None
    if not protected and not is_loopback(address):
        raise ConfigurationError(
            f"a console on {address} without a token would be open to everybody who reaches it",
            hint="set COREHOST_HEALTH_TOKEN or COREHOST_HEALTH_TOKEN_FILE, or listen on 127.0.0.1",
        )
    try:
        server = ConsoleServer(run.host, address, port)
    except OSError as error:
        raise ConfigurationError(f"cannot listen on {address}, port {port}: {error.strerror}") from error
    with server:
        run.remark(f"the console is at {server.url}")
        server.serve_forever(poll_interval=0.2)
