"""A revision that fails: what is kept, who is held up by it, and what the host goes on without."""

from __future__ import annotations

import pytest

from support.packages import create_table, revision_source
from support.shop import Shop

FAILS = revision_source("s1", upgrade=create_table("half") + '\nop.execute("SELECT 1/0")')
SECRET = revision_source("s1", upgrade="""raise RuntimeError("cannot reach postgresql://me:hunter2@db/x")""")


@pytest.fixture
def failing(shop: Shop) -> Shop:
    """A shop whose search fails; recommend requires search, orders does not, feed comes after it."""
    shop.install("search", {"s1": FAILS})
    shop.install("recommend", requires=("search",))
    shop.install("orders")
    shop.install("feed", after=("search",))
    return shop


def configure(shop: Shop, text: str) -> None:
    """Give the shop a configuration file."""
    (shop.folder / "corehost.toml").write_text(text)


def test_others_are_finished_and_dependents_not_tried(failing: Shop) -> None:
    """Exit 1 naming the revision, its own work rolled back, what it does not hold up applied."""
    finished = failing.run("migrate", "--json")
    document = finished.json()
    assert finished.returncode == 1
    assert (document["error"]["branch"], document["error"]["revision"]) == ("search", "s1")
    assert "orders" in {one["branch"] for one in document["applied"]}
    assert "recommend" not in {one["branch"] for one in document["applied"]}
    assert not failing.has_table("search.half")
    assert failing.run("check").returncode == 3


def test_the_ledger_has_its_error_without_secrets(shop: Shop) -> None:
    """A password in an exception's text is written down nowhere."""
    shop.install("search", {"s1": SECRET})
    finished = shop.run("migrate")
    ((error,),) = shop.execute("SELECT error FROM corehost.step WHERE outcome = 'failed'")
    assert "cannot reach" in error
    assert "hunter2" not in error + finished.stdout + finished.stderr


def test_the_next_start_tries_again(failing: Shop) -> None:
    """A new version that is mended finds its way, and what waited for it too."""
    assert failing.run("migrate").returncode == 1
    file = failing.site / "search" / "migrations" / "versions" / "s1.py"
    file.write_text(file.read_text().replace("1/0", "1"))
    assert failing.run("migrate").returncode == 0
    assert failing.run("check").returncode == 0


def test_a_fleet_in_a_crash_loop_leaves_the_database_alone(failing: Shop) -> None:
    """After several failures in a row nobody tries for a while: six restarted instances run nothing."""
    assert failing.run("migrate").returncode == 1
    failing.execute("UPDATE corehost.step SET attempt = 9 WHERE open")
    restarted = [failing.start("migrate", "--json", extra={"COREHOST_WAIT_TIMEOUT": "1s"}) for _ in range(6)]
    ended = [process.wait() for process in restarted]
    assert [one.returncode for one in ended] == [4] * 6
    assert "search@s1, which has failed and is tried again in" in ended[0].json()["error"]["message"]
    assert failing.execute("SELECT count(*) FROM corehost.step WHERE outcome = 'failed'") == [(1,)]


def test_a_new_version_is_tried_at_once(failing: Shop) -> None:
    """What failed was another version: its rest says nothing of this one."""
    assert failing.run("migrate").returncode == 1
    failing.execute("UPDATE corehost.step SET attempt = 9, version = '0.9' WHERE open")
    file = failing.site / "search" / "migrations" / "versions" / "s1.py"
    file.write_text(file.read_text().replace("1/0", "1"))
    assert failing.run("migrate", "--no-wait").returncode == 0


def test_a_host_goes_on_without_an_optional_plugin(failing: Shop) -> None:
    """With 'disable' the pass ends with 0 and says who is left out, and what requires it."""
    configure(failing, 'on_migration_error = "disable"\n')
    finished = failing.run("migrate", "--json")
    document = finished.json()
    assert finished.returncode == 0, finished.stderr
    assert document["ready"] is True
    assert set(document["left_out"]) == {"search", "recommend"}
    assert "division by zero" in document["left_out"]["search"]
    assert {one["branch"] for one in document["applied"]} == {"corehost", "orders", "feed"}


def test_readiness_does_not_wait_for_what_is_left_out(failing: Shop) -> None:
    """check, wait and status in other processes agree that the rest is ready."""
    configure(failing, 'on_migration_error = "disable"\n')
    assert failing.run("check").returncode == 3
    assert failing.run("migrate").returncode == 0
    checked = failing.run("check", "--json")
    assert checked.returncode == 0
    assert set(checked.json()["pending"]) == {"search", "recommend"}
    assert failing.run("wait", "--timeout", "10s").returncode == 0
    document = failing.run("status", "--json").json()
    assert document["ready"] is True
    states = {branch["branch"]: (branch["state"], branch["left_out"]) for branch in document["branches"]}
    assert states["search"] == ("failed", True)
    assert states["recommend"] == ("pending", True)
    assert states["orders"] == ("current", False)


def test_a_table_says_it_of_single_plugins(failing: Shop) -> None:
    """search may be missing, orders may not."""
    configure(failing, '[on_migration_error]\nsearch = "disable"\n')
    assert failing.run("migrate").returncode == 0
    failing.install("billing", {"b1": revision_source("b1", upgrade='op.execute("SELECT 1/0")')})
    finished = failing.run("migrate", "--json")
    assert finished.returncode == 1
    assert finished.json()["error"]["branch"] == "billing"
    assert set(finished.json()["left_out"]) == {"search", "recommend"}


def test_a_star_says_it_of_all_the_others(failing: Shop) -> None:
    """Everything is optional but search."""
    configure(failing, '[on_migration_error]\n"*" = "disable"\nsearch = "fail"\n')
    assert failing.run("migrate").returncode == 1


def test_the_core_is_never_optional(shop: Shop) -> None:
    """Whatever the setting says, a core that fails fails the host."""
    shop.install("shop", {"c1": revision_source("c1", upgrade='op.execute("SELECT 1/0")')})
    (shop.site / "shop" / "corehost_plugin.py").write_text("import corehost\n")
    configure(shop, 'on_migration_error = "disable"\ncore = "shop:migrations"\nplugins = []\n')
    finished = shop.run("migrate", "--json")
    assert finished.returncode == 1
    assert finished.json()["error"]["branch"] == "core"


def test_a_pass_for_one_branch_does_not_go_on_without_it(failing: Shop) -> None:
    """Who asks for search alone is told that it failed."""
    configure(failing, 'on_migration_error = "disable"\n')
    assert failing.run("migrate", "--branch", "search").returncode == 1


def test_nor_without_what_it_needs(failing: Shop) -> None:
    """Who asks for recommend, which requires search, is told that search failed."""
    configure(failing, 'on_migration_error = "disable"\n')
    finished = failing.run("migrate", "--branch", "recommend", "--json")
    assert finished.returncode == 1
    assert finished.json()["error"]["branch"] == "search"


def test_an_unknown_word_is_refused(failing: Shop) -> None:
    """In a table too, naming the place."""
    configure(failing, '[on_migration_error]\nsearch = "disabled"\n')
    finished = failing.run("migrate")
    assert finished.returncode == 2
    assert "on_migration_error.search" in finished.stderr


def test_a_plugin_in_doubt_is_left_out_as_well(shop: Shop) -> None:
    """After a part of it was committed the next start would end with 5; an optional one holds up nobody."""
    half = 'with op.get_context().autocommit_block():\n    op.execute("SELECT 1")\nop.execute("SELECT 1/0")'
    shop.install("search", {"s1": revision_source("s1", upgrade=create_table("half") + "\n" + half)})
    shop.install("orders")
    configure(shop, 'on_migration_error = "disable"\n')
    assert shop.run("migrate").returncode == 0
    assert shop.run("migrate", "--json").json()["left_out"].keys() == {"search"}
    assert shop.run("wait", "--timeout", "10s").returncode == 0


def test_a_file_that_does_not_compile_is_left_out_as_well(shop: Shop) -> None:
    """Its header can be read, its body cannot be run: the plugin goes, nothing of it was begun."""
    shop.install("search", {"s1": revision_source("s1", upgrade="return 1 +")})
    shop.install("orders")
    configure(shop, 'on_migration_error = "disable"\n')
    finished = shop.run("migrate", "--json")
    assert finished.returncode == 0, finished.stderr
    assert finished.json()["left_out"].keys() == {"search"}


def test_what_does_not_compile_is_known_to_those_who_only_look(shop: Shop) -> None:
    """The ledger says so, once: check and wait end with 0, and what is mended is applied."""
    shop.install("search", {"s1": revision_source("s1", upgrade="return 1 +")})
    configure(shop, 'on_migration_error = "disable"\n')
    assert [shop.run("migrate").returncode for _ in range(2)] == [0, 0]
    assert shop.run("check").returncode == 0
    assert shop.run("wait", "--timeout", "10s").returncode == 0
    seen = {branch["branch"]: branch for branch in shop.run("status", "--json").json()["branches"]}
    assert (seen["search"]["state"], seen["search"]["left_out"]) == ("failed", True)
    rows = "SELECT revision, outcome, open FROM corehost.step WHERE branch = 'search' ORDER BY id"
    assert shop.execute(rows) == [("s1", "failed", True)]
    (shop.site / "search" / "migrations" / "versions" / "s1.py").write_text(revision_source("s1"))
    assert shop.run("migrate").returncode == 0
    assert shop.execute(rows) == [("s1", "failed", False), ("s1", "applied", False)]


def test_nobody_waits_for_what_does_not_compile(shop: Shop) -> None:
    """Nothing else is pending: with --no-wait the pass ends with 0, since nobody holds a lock."""
    shop.install("orders")
    configure(shop, 'on_migration_error = "disable"\n')
    assert shop.run("migrate").returncode == 0
    shop.install("search", {"s1": revision_source("s1", upgrade="return 1 +")})
    finished = shop.run("migrate", "--no-wait", "--json")
    assert finished.returncode == 0, finished.stderr
    assert finished.json()["left_out"].keys() == {"search"}


HOOKS = """
@corehost.hookimpl
def corehost_startup(host):
    print("{name} up", flush=True)
"""
SERVE = """
import corehost
with corehost.Host.from_config() as host:
    plugins = host.installation.discovery.manager.list_name_plugin()
    print("ready", host.ready, sorted(name for name, _ in plugins))
"""


def test_the_hooks_of_what_is_left_out_are_not_called(shop: Shop) -> None:
    """Neither its own start-up hook nor that of a plugin without tables that requires it."""
    shop.install("search", {"s1": FAILS}, hooks=HOOKS.format(name="search"))
    shop.install("panel", {}, migrations=None, requires=("search",), hooks=HOOKS.format(name="panel"))
    shop.install("orders", hooks=HOOKS.format(name="orders"))
    configure(shop, 'on_migration_error = "disable"\n')
    finished = shop.python(SERVE)
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout == "orders up\nready True ['orders']\n"
