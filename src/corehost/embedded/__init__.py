"""A local PostgreSQL for demos and tests: finds the server programs, runs one server for all who ask.

POSIX only. Imports no package that carries the programs.
"""

from corehost.embedded.binaries import find_bindir
from corehost.embedded.server import LocalPostgres

__all__ = ["LocalPostgres", "find_bindir"]
