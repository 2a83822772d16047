"""Runs code that other people wrote: whatever it raises makes one plugin wrong, and stops nothing."""

from __future__ import annotations

import importlib
import os
import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, TypeVar

import pluggy

import corehost
from corehost.core.errors import PluginError, Where

T = TypeVar("T")

_NOT_THEIRS: Final = (
    "<frozen",
    *(
        os.path.join(os.path.dirname(file), "")
        for file in (corehost.__file__, pluggy.__file__, importlib.__file__)
    ),
)


def guarded(action: Callable[[], T], failure: str) -> T:
    """The result of ``action``; raises PluginError, beginning with ``failure``, for whatever it raises."""
    try:
        return action()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # sys.exit() at the top of a plugin's module must not end the host
        text = " ".join(str(error).split())
        raise PluginError(
            f"{failure}: {type(error).__name__}{': ' if text else ''}{text}",
            where=Where(file=_place(error.__traceback__)),
        ) from error


def import_object(reference: str) -> Any:
    """The module, or the object in it, that ``"module"`` or ``"module:object"`` names."""
    name, _, path = reference.partition(":")
    value = importlib.import_module(name)
    for attribute in filter(None, path.split(".")):
        value = getattr(value, attribute)
    return value


def _place(trace: TracebackType | None) -> str | None:
    """The last line of theirs that was run, as ``file:line``."""
    places = [
        f"{frame.f_code.co_filename}:{line}"
        for frame, line in traceback.walk_tb(trace)
        if not frame.f_code.co_filename.startswith(_NOT_THEIRS)
    ]
    return places[-1] if places else None
