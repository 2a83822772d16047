"""The page about hooks is held against the hooks."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from corehost import hookspecs

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "hooks.md").read_text()
HOOKS = sorted(name for name in vars(hookspecs) if name.startswith("corehost_"))


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_has_a_row_with_its_arguments(name: str) -> None:
    """A hook's row in the page begins with the hook as it is called."""
    arguments = ", ".join(inspect.signature(getattr(hookspecs, name)).parameters)
    assert f"| `{name}({arguments})` |" in PAGE


def test_the_page_names_no_hook_that_there_is_not() -> None:
    """Every name in the page that looks like a hook is one."""
    assert set(re.findall(r"corehost_\w+", PAGE)) <= {*HOOKS}


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_has_a_user_among_the_examples(name: str) -> None:
    """Some example plugin implements the hook."""
    sources = (ROOT / "example_plugins").glob("*/src/**/*.py")
    assert any(f"def {name}(" in source.read_text() for source in sources)


def test_the_values_that_hooks_get_are_public() -> None:
    """The page's `corehost.X` names can be imported from the package."""
    import corehost

    for name in re.findall(r"`corehost\.([A-Z]\w+)`", PAGE):
        assert getattr(corehost, name)
