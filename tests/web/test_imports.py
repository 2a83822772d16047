"""What importing the gates costs."""

from __future__ import annotations

import subprocess
import sys

from support.processes import environment

_PROGRAM = """
import sys
from corehost import asgi, wsgi
import corehost.web.server
assert asgi.ReadinessGate and wsgi.ReadinessGate
heavy = {"alembic", "fastapi", "psycopg", "rich", "sqlalchemy", "starlette", "uvicorn", "werkzeug"}
print(sorted(heavy & set(sys.modules)))
"""


def test_the_gates_import_no_framework_and_no_database() -> None:
    """A fresh interpreter that imports both gates and the health server has loaded nothing heavy."""
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM], env=environment(), capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
