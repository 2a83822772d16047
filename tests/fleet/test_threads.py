"""Two hosts in one process, each on a thread of its own: ``alembic.op`` is global to the process."""

from __future__ import annotations

from pathlib import Path

from support.packages import revision_source, spec
from support.processes import Processes

from ..conftest import DatabaseFactory
from .conftest import write_own

TWO_HOSTS = """
import sys, threading
import corehost

failures = []

def migrate(url):
    try:
        report = corehost.Host.from_config(database_url=url).migrate()
        assert sum(result.node.branch == "accounts" for result in report.applied) == 12, report
    except BaseException as error:
        failures.append(error)

threads = [threading.Thread(target=migrate, args=(url,)) for url in sys.argv[1:]]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
for failure in failures:
    raise failure
"""


def test_two_hosts_in_one_process_do_not_mix(
    database_factory: DatabaseFactory, site: Path, processes: Processes
) -> None:
    """Two threads that migrate two databases at once each end with all of their revisions."""
    source = 'op.create_table("t{n}", sa.Column("id", sa.Integer, primary_key=True))'
    revisions = {
        f"{n:02}": revision_source(f"r{n}", f"r{n - 1}" if n > 1 else None, upgrade=source.format(n=n))
        for n in range(1, 13)
    }
    write_own(site, "accounts", spec_source=spec("accounts"), revisions=revisions)
    ended = processes.python(TWO_HOSTS, database_factory(), database_factory(), path=[site]).wait()
    assert ended.returncode == 0, ended.stderr
