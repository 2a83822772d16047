"""``corehost graph``."""

from __future__ import annotations

import click

from corehost.cli.command import reporting
from corehost.cli.invocation import Invocation

_FORMATS = ("text", "json", "mermaid", "dot", "svg")


@reporting("graph", {"branches": [], "revisions": [], "edges": []})
@click.option("--format", type=click.Choice(_FORMATS), help="How to draw it.  [default: text]")
def graph(run: Invocation, format: str | None) -> None:  # noqa: A002
    """Draw the graph of the installed revisions; needs no database."""
    from corehost.cli import drawing

    if run.as_json:
        if format not in (None, "json"):
            raise click.UsageError(f"--json and --format {format} exclude each other")
        run.document |= drawing.as_document(run.installation.graph)
        return
    if format == "svg":
        from corehost.console.picture import alone

        run.report(alone(run.installation.graph))
        return
    draw = {"mermaid": drawing.as_mermaid, "dot": drawing.as_dot}.get(format or "text", drawing.as_text)
    run.report(draw(run.installation.graph))
