"""The same SQL without any tool: each revision in one transaction, with its version row.

``raw.py FILE``: the file has one JSON list of statements a line.
"""

import json
import os
import sys

import psycopg

with psycopg.connect(os.environ["BENCH_DATABASE_URL"]) as connection, open(sys.argv[1]) as lines:
    for line in lines:
        for statement in json.loads(line):
            connection.execute(statement)
        connection.commit()
