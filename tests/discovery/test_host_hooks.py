"""The host's own hook specifications and implementations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from corehost import ConfigurationError
from support.finding import Install, complaint, find

SPECS = "import corehost\n@corehost.hookspec\ndef shop_menu(page): ...\n"
STARTUP = "import corehost\n@corehost.hookimpl\ndef corehost_startup(host): return 'host'\n"


@pytest.fixture
def shop(site: Path, on_path: Callable[[Path], None]) -> Callable[..., None]:
    """Writes modules of the host's package ``shop``."""
    on_path(site)

    def write(**modules: str) -> None:
        (site / "shop").mkdir()
        (site / "shop" / "__init__.py").touch()
        for name, source in modules.items():
            (site / "shop" / f"{name}.py").write_text(source)

    return write


def test_plugins_may_implement_the_hooks_of_the_host(install: Install, shop: Callable[..., None]) -> None:
    """A module in `hookspecs` adds to what plugins may implement."""
    shop(specs=SPECS)
    install("zebra", hooks="@corehost.hookimpl\ndef shop_menu(page): return page + 1")
    assert find(hookspecs=["shop.specs"]).manager.hook.shop_menu(page=1) == [2]


def test_a_misspelt_hook_of_the_host_is_suggested(install: Install, shop: Callable[..., None]) -> None:
    """The host's hooks are known names like corehost's own."""
    shop(specs=SPECS)
    install("zebra", hooks="@corehost.hookimpl\ndef shop_menus(page): pass")
    assert "did you mean 'shop_menu'?" in complaint("zebra", hookspecs=["shop.specs"])


def test_the_modules_of_the_host_are_called(install: Install, shop: Callable[..., None]) -> None:
    """A module in `hooks` implements hooks as plugins do, and its registered name is told."""
    shop(hooks=STARTUP)
    install("zebra")
    discovery = find(hooks=["shop.hooks"])
    assert discovery.manager.hook.corehost_startup(host=None) == ["host"]
    (name,) = discovery.host_modules
    assert discovery.manager.has_plugin(name)


def test_a_module_of_the_host_may_be_called_like_a_plugin(install: Install, site: Path) -> None:
    """The names of modules and of plugins do not get into each other's way."""
    install("zebra")
    (site / "zebra" / "__init__.py").write_text(STARTUP)
    assert find(hooks=["zebra"]).manager.hook.corehost_startup(host=None) == ["host"]


@pytest.mark.parametrize("setting", ["hooks", "hookspecs"])
@pytest.mark.parametrize("source", ["import nowhere", "raise SystemExit"])
def test_a_module_of_the_host_that_does_not_import_is_a_wrong_setting(
    shop: Callable[..., None], setting: str, source: str
) -> None:
    """The setting and the module are named; there is no host without its own modules."""
    shop(broken=source)
    with pytest.raises(ConfigurationError, match=rf"{setting}: shop\.broken does not import"):
        find(**{setting: ["shop.broken"], "on_plugin_error": "skip"})


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("def corehost_start_up(host): ...", "unknown hook 'corehost_start_up'; did you mean"),
        ("def corehost_startup(hots): ...", r"Argument\(s\) {'hots'}"),
        ("def corehost_register_plugin(): ...", "corehost_register_plugin, which is for plugins"),
    ],
)
def test_a_wrong_hook_of_the_host_is_a_wrong_setting(
    install: Install, shop: Callable[..., None], source: str, told: str
) -> None:
    """The host's modules are held to the contract like the plugins."""
    shop(hooks=f"import corehost\n@corehost.hookimpl\n{source}")
    install("zebra")
    with pytest.raises(ConfigurationError, match=told):
        find(hooks=["shop.hooks"])


def test_a_module_that_is_a_plugin_already_is_a_wrong_setting(install: Install) -> None:
    """A plugin's hooks would be called twice."""
    install("zebra")
    with pytest.raises(ConfigurationError, match=r"zebra\.corehost_plugin is the plugin 'zebra' already"):
        find(hooks=["zebra.corehost_plugin"])


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("", "did not find any 'corehost' hooks"),
        (
            "import corehost\n@corehost.hookspec\ndef corehost_startup(host): ...",
            "'corehost_startup' is already registered",
        ),
    ],
)
def test_a_module_of_specifications_that_is_none_is_a_wrong_setting(
    shop: Callable[..., None], source: str, told: str
) -> None:
    """A module without specifications, or with one that exists, is a mistake of the host."""
    shop(specs=source)
    with pytest.raises(ConfigurationError, match=told):
        find(hookspecs=["shop.specs"])
