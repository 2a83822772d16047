"""What discovery says of a plugin that is wrong by itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from corehost import PluginSpec
from support.finding import MIGRATIONS, PLUGINS, Install, complaint, find, refusal, row, survey
from support.packages import spec
from support.processes import environment

HOOK = (
    "import corehost\nfrom corehost import PluginSpec\n@corehost.hookimpl\ndef corehost_register_plugin():\n"
)


def test_a_refusal_names_distribution_version_and_entry_point(install: Install) -> None:
    """Whoever reads the message knows which package to look at."""
    install("zebra", distribution="acme-zebra", version="2.5", hooks="import nowhere")
    (problem,) = refusal().problems
    assert problem.where.branch == "zebra"
    assert "distribution acme-zebra 2.5" in str(problem)
    assert "entry point [tests.plugins: zebra = zebra.corehost_plugin]" in str(problem)


def write_wrong(install: Install, source: str) -> None:
    """Install a plugin ``zebra`` whose module is this."""
    install("zebra", spec_source=None, files={"corehost_plugin.py": source})


@pytest.mark.parametrize(
    ("source", "exception"),
    [
        ("import nowhere_at_all", "ModuleNotFoundError: No module named 'nowhere_at_all'"),
        ("1 / 0", "ZeroDivisionError"),
        ("def broken(:", "SyntaxError"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("class Odd(BaseException): pass\nraise Odd('stop')", "Odd: stop"),
    ],
)
def test_a_module_that_does_not_import_is_named_with_its_exception(
    install: Install, source: str, exception: str
) -> None:
    """Whatever a plugin's module raises is told, and does not end the host."""
    write_wrong(install, source)
    assert f"it does not import: {exception}" in complaint("zebra")


def test_the_line_that_failed_is_named(install: Install, site: Path) -> None:
    """The error leads to the plugin's own file and line."""
    write_wrong(install, "import corehost\n1 / 0")
    (problem,) = refusal().problems
    assert problem.where.file == f"{site / 'zebra' / 'corehost_plugin.py'}:2"


def test_an_interrupt_during_an_import_interrupts(install: Install) -> None:
    """Ctrl-C is the operator's, not a mistake of the plugin."""
    write_wrong(install, "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        find()


def test_a_module_that_is_not_there_is_named(install: Install) -> None:
    """An entry point may name a module that its distribution does not ship."""
    install("zebra", entry_points={PLUGINS: {"zebra": "zebra.nothing"}})
    assert "No module named 'zebra.nothing'" in complaint("zebra")


def test_an_object_that_is_not_there_is_named(install: Install) -> None:
    """An entry point may name an object that its module does not have."""
    install("zebra", entry_points={PLUGINS: {"zebra": "zebra.corehost_plugin:nothing"}})
    assert "AttributeError: module 'zebra.corehost_plugin' has no attribute 'nothing'" in complaint("zebra")


def test_an_entry_point_that_is_no_reference_is_named(install: Install) -> None:
    """An entry point's value may be anything."""
    install("zebra", entry_points={PLUGINS: {"zebra": "not a module!"}})
    assert "it does not import" in complaint("zebra")


def test_a_module_without_the_hook_is_told_so(install: Install) -> None:
    """The one hook that every plugin has is missing."""
    write_wrong(install, "")
    assert "it has no hook corehost_register_plugin; define it in the module" in complaint("zebra")


def test_a_hook_that_is_not_marked_is_told_so(install: Install) -> None:
    """The function is there, the decorator is not."""
    write_wrong(install, "def corehost_register_plugin(): pass")
    assert "mark corehost_register_plugin with @corehost.hookimpl" in complaint("zebra")


def test_a_hook_that_raises_is_named_with_its_exception(install: Install) -> None:
    """The hook's own exception is told."""
    write_wrong(install, HOOK + "    raise LookupError('no such thing')")
    assert "corehost_register_plugin failed: LookupError: no such thing" in complaint("zebra")


def test_a_hook_that_exits_does_not_end_the_host(install: Install) -> None:
    """sys.exit() in the hook is an error like any other."""
    write_wrong(install, HOOK + "    raise SystemExit")
    assert "corehost_register_plugin failed: SystemExit" in complaint("zebra")


@pytest.mark.parametrize(("returned", "told"), [("{'name': 'zebra'}", "dict"), ("None", "None")])
def test_a_hook_that_returns_something_else_is_told_so(install: Install, returned: str, told: str) -> None:
    """Only a PluginSpec is one."""
    write_wrong(install, HOOK + f"    return {returned}")
    assert f"corehost_register_plugin returned {told}, not a PluginSpec" in complaint("zebra")


def test_a_spec_of_another_name_is_refused(install: Install) -> None:
    """Entry point and PluginSpec must agree on the name."""
    install("zebra", spec_source=spec("okapi", migrations="zebra:migrations"))
    assert "its PluginSpec says that its name is 'okapi'" in complaint("zebra")


@pytest.mark.parametrize("name", ["core", "corehost", "Zebra", "zebra-db", "9lives", "z" * 41])
def test_a_name_that_no_plugin_may_have_is_refused(install: Install, name: str) -> None:
    """Reserved and malformed names are told, without importing the plugin."""
    install(
        "zebra",
        files={"corehost_plugin.py": "raise RuntimeError"},
        spec_source=None,
        entry_points={PLUGINS: {name: "zebra.corehost_plugin"}},
    )
    assert complaint(name).startswith(f"name {name!r}")


@pytest.mark.parametrize("schema", ["pg_animals", "information_schema", "corehost", "s" * 64])
def test_a_refused_schema_is_named(install: Install, schema: str) -> None:
    """Schemas that belong to PostgreSQL or to the ledger are refused, with the plugin named."""
    install("zebra", fields={"schema": schema})
    (problem,) = refusal().problems
    assert f"schema {schema!r}" in problem.message
    assert problem.where.distribution == "zebra"


def test_a_migrations_folder_that_is_not_there_is_named(install: Install, site: Path) -> None:
    """The message says what was looked for, and where."""
    install("zebra", fields={"migrations": "zebra:migration"})
    text = complaint("zebra")
    assert f"the folder 'migration' of 'zebra:migration' is not there; looked in {site / 'zebra'}" in text
    assert "did you mean 'migrations'?" in text


def test_a_migrations_package_that_is_not_installed_is_named(install: Install) -> None:
    """The folder may be said to be in another package, which must be there."""
    install("zebra", fields={"migrations": "okapi:migrations"})
    assert "the package 'okapi' is not installed" in complaint("zebra")


def test_an_unknown_hook_is_told_with_a_suggestion(install: Install) -> None:
    """A misspelt hook would never be called."""
    install("zebra", hooks="@corehost.hookimpl\ndef corehost_start_up(host): pass")
    assert "unknown hook 'corehost_start_up'; did you mean 'corehost_startup'?" in complaint("zebra")


def test_an_unknown_hook_that_is_marked_optional_is_fine(install: Install) -> None:
    """A plugin may implement a hook that only some hosts have."""
    install("zebra", hooks="@corehost.hookimpl(optionalhook=True)\ndef shop_menu(): pass")
    assert row(find(), "zebra").state == "enabled"


def test_wrong_arguments_of_a_hook_are_told(install: Install) -> None:
    """A hook implementation that asks for what the hook does not give is refused, arguments in order."""
    install("zebra", hooks="@corehost.hookimpl\ndef corehost_startup(a, host, c, b): pass")
    text = complaint("zebra")
    assert "for hook 'corehost_startup'" in text
    assert "Argument(s) {'a', 'b', 'c'} are declared in the hookimpl" in text


def test_a_plugin_whose_hooks_are_refused_leaves_no_hook_behind(install: Install) -> None:
    """Of a plugin that is refused half way, nothing is called later."""
    install(
        "zebra",
        hooks="@corehost.hookimpl\ndef corehost_shutdown(host): return 1\n"
        "@corehost.hookimpl\ndef corehost_startup(nothing): return 1\n",
    )
    hook = survey().manager.hook
    assert hook.corehost_startup(host=1) == hook.corehost_shutdown(host=1) == []


def test_a_malformed_migrations_value_is_told(install_bare: Install) -> None:
    """The value of a migrations entry point must be package:folder."""
    install_bare("okapi", entry_points={MIGRATIONS: {"okapi": "okapi:a:b"}})
    assert "its entry point is wrong" in complaint("okapi")


def test_all_problems_are_told_at_once(install: Install) -> None:
    """Nobody has to start the host once for each mistake."""
    install("ant", fields={"requires": ("nobody",)})
    install("bee", files={"corehost_plugin.py": ""}, spec_source=None)
    install("cat", fields={"schema": "pg_cat"})
    assert [problem.where.branch for problem in refusal().problems] == ["ant", "bee", "cat"]


def test_all_problems_of_one_plugin_are_told_at_once(install: Install) -> None:
    """An unknown hook does not hide a requirement that is missing."""
    install("zebra", fields={"requires": ("nobody",)}, hooks="@corehost.hookimpl\ndef corehost_stop(): pass")
    assert len(refusal().problems) == 2


def test_inspection_tells_what_is_wrong_and_raises_nothing(install: Install) -> None:
    """The list of plugins shows what is wrong beside what is right."""
    install("ant")
    install("bee", files={"corehost_plugin.py": ""}, spec_source=None)
    discovery = survey()
    assert [(found.name, found.state) for found in discovery.found] == [("ant", "enabled"), ("bee", "wrong")]
    assert "no hook" in row(discovery, "bee").problems[0]


def test_inspection_shows_the_spec_of_what_is_right(install: Install) -> None:
    """A row carries what the plugin says of itself."""
    install("zebra", fields={"migrations": None})
    assert row(survey(), "zebra").spec == PluginSpec(name="zebra")


def test_the_messages_do_not_depend_on_the_hash_seed(install: Install, site: Path) -> None:
    """The same mistakes make the same text in every process."""
    install("zebra", hooks="@corehost.hookimpl\ndef corehost_startup(a, b, c, d, e): pass")
    install("okapi", fields={"requires": ("ant", "bee", "cat"), "after": ("okapi",)})
    install("lion", fields={"schema": "x", "version_table": "t"})
    install("lynx", fields={"schema": "x", "version_table": "t"})
    program = (
        "from support.finding import survey\nfor found in survey().found: print(found.name, found.problems)"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            env=environment(path=[site, Path(__file__).parent.parent], extra={"PYTHONHASHSEED": seed}),
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(outputs) == 1
    assert "zebra" in outputs.pop()
