"""A loop over batches rests while a standby is behind."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import psycopg
import pytest

from support.cluster import Cluster
from support.passes import run_pass, written_branch
from support.processes import wait_until

from .conftest import ONCE, TABLE, counted, filling


def test_it_rests_while_a_standby_replays_nothing(
    bindir: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With its replay paused no batch follows until it goes on; then the loop ends."""
    arguments = '"items", size=20, pause="50ms", max_lag="200ms"'  # without a pause it may end before
    branch = written_branch(tmp_path, "data", {"1": filling(arguments)})
    caplog.set_level(logging.INFO, "corehost")
    with Cluster(bindir) as primary, primary.standby() as standby:
        with psycopg.connect(primary.url, autocommit=True) as connection:
            connection.execute(TABLE)
        with psycopg.connect(standby.url, autocommit=True) as replica:
            wait_until(lambda: replica.execute("SELECT to_regclass('public.touched')").fetchone() != (None,))
            replica.execute("SELECT pg_wal_replay_pause()")
            wait_until(
                lambda: replica.execute("SELECT pg_get_wal_replay_pause_state()").fetchone() == ("paused",)
            )
            thread = threading.Thread(target=run_pass, args=(primary.url, branch))
            thread.start()
            wait_until(lambda: "waits for a standby" in caplog.text)
            before = counted(primary.url)[2]
            looks = caplog.text.count("waits for a standby")
            wait_until(lambda: caplog.text.count("waits for a standby") >= looks + 3)
            assert counted(primary.url)[2] == before < ONCE[2]
            replica.execute("SELECT pg_wal_replay_resume()")
            thread.join()
        assert counted(primary.url) == ONCE


def test_a_role_that_may_not_see_the_standbys_is_told_so(
    bindir: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It goes on, with a warning that says what to grant."""
    branch = written_branch(tmp_path, "data", {"1": filling('"items", size=200, max_lag="1s"')})
    with Cluster(bindir) as primary, primary.standby():
        with psycopg.connect(primary.url, autocommit=True) as connection:
            connection.execute(TABLE)
            connection.execute(
                "CREATE ROLE plain LOGIN; GRANT ALL ON DATABASE postgres TO plain;"
                "ALTER SCHEMA data OWNER TO plain; ALTER TABLE data.items OWNER TO plain;"
                "ALTER TABLE public.touched OWNER TO plain"
            )
        url = primary.url.replace("user=postgres", "user=plain")
        run_pass(url, branch)
        assert counted(primary.url) == ONCE
    assert "grant its role pg_read_all_stats" in caplog.text
