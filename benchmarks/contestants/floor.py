"""The least that anything in Python can do: import psycopg, connect, run one SELECT."""

import os

import psycopg

with psycopg.connect(os.environ["BENCH_DATABASE_URL"]) as connection:
    connection.execute("SELECT 1").fetchone()
