"""Alembic's operations alone: each file executed, its ``upgrade()`` in a transaction, with a version row.

No headers, no graph, no check of what is there: the least that runs revisions as they are written.
``operations.py FOLDER``: the files in the order of their names.
"""

import os
import sys
from pathlib import Path

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.util import load_python_file

url = os.environ["BENCH_DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://", 1)
folder = Path(sys.argv[1])
with sa.create_engine(url).connect() as connection:
    with connection.begin():
        connection.exec_driver_sql("CREATE TABLE done (version_num varchar(32) NOT NULL)")
        connection.exec_driver_sql("INSERT INTO done VALUES ('')")
    with Operations.context(MigrationContext.configure(connection)):
        for file in sorted(folder.glob("*.py")):
            module = load_python_file(folder, file.name)
            with connection.begin():
                module.upgrade()
                connection.exec_driver_sql("UPDATE done SET version_num = %s", (module.revision,))
