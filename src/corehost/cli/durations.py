"""A duration with a unit as the value of an option."""

from __future__ import annotations

from datetime import timedelta

import click

from corehost.core.setting_types import parse_duration


def duration(context: click.Context, parameter: click.Parameter, value: str) -> timedelta:
    """An option's callback: ``250ms``, ``6s``, ``10min`` or ``2h`` as a timedelta, or a usage error."""
    try:
        return parse_duration(value)
    except ValueError as error:
        raise click.BadParameter(str(error), ctx=context, param=parameter) from None
