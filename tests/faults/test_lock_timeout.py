"""How long a step waits for the locks of tables: as the settings say, or as its revision says."""

from __future__ import annotations

from pathlib import Path

import psycopg

from support.forked import Instance
from support.logged import plugin, recorded, revision, with_log

SHOW = "op.execute(\"INSERT INTO public.shown SELECT '{name}', current_setting('lock_timeout')\")"
TABLE = "CREATE TABLE public.shown (revision text, lock_timeout text)"


def shown(url: str, site: Path) -> list[tuple[str, str]]:
    """What the revisions have shown of lock_timeout, after a pass."""
    with psycopg.connect(with_log(url), autocommit=True) as connection:
        connection.execute(TABLE)
        instance = Instance(url, path=site)
        assert instance.wait() == 0, instance.outcome()
        instance.close()
        return connection.execute("SELECT * FROM public.shown").fetchall()


def test_a_revision_has_its_own_and_the_next_one_the_settings(database: str, site: Path) -> None:
    """lock_timeout in a revision file holds for its step alone."""
    bodies = [SHOW.format(name=f"accounts{number}") for number in (1, 2, 3)]
    plugin(
        site,
        "accounts",
        revision("accounts", 1, bodies[0]),
        revision("accounts", 2, bodies[1], lock_timeout="2s"),
        revision("accounts", 3, bodies[2]),
    )
    assert shown(database, site) == [("accounts1", "1s"), ("accounts2", "2s"), ("accounts3", "1s")]


def test_it_is_the_revisions_own_again_behind_an_autocommit_block(database: str, site: Path) -> None:
    """Inside the block nothing cuts a wait; behind it the revision's own lock_timeout does again."""
    inside = SHOW.format(name="inside")
    body = f"with op.get_context().autocommit_block():\n    {inside}\n{SHOW.format(name='behind')}"
    plugin(site, "accounts", revision("accounts", 1, body, lock_timeout="2s"))
    assert shown(database, site) == [("inside", "0"), ("behind", "2s")]


def test_it_is_what_cuts_the_step(database: str, site: Path) -> None:
    """A revision with a short one fails behind a lock, where the settings would have it wait."""
    plugin(
        site,
        "accounts",
        revision("accounts", 1),
        revision("accounts", 2, 'op.execute("ALTER TABLE public.busy ADD x int")', lock_timeout="50ms"),
    )
    with psycopg.connect(with_log(database)) as connection:
        connection.execute("CREATE TABLE public.busy ()")
        connection.commit()
        connection.execute("SELECT FROM public.busy")
        instance = Instance(database, path=site, settings={"lock_timeout": "0s", "lock_attempts": 2})
        assert instance.wait() == 1
        error = instance.outcome()["error"]
        instance.close()
    assert "LockNotAvailable" in error
    assert recorded(database, "failed") == ["accounts2"]
