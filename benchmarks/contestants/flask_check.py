"""The same with Flask-Alembic: ``flask_check.py FOLDER check|upgrade``."""

import os
import sys

import psycopg
from flask import Flask
from flask_alembic import Alembic
from sqlalchemy import MetaData, create_engine, pool

url = os.environ["BENCH_DATABASE_URL"]
engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(url), poolclass=pool.NullPool)
app = Flask(__name__)
app.config["ALEMBIC"] = {"script_location": sys.argv[1]}
alembic = Alembic(app, metadatas=MetaData(), engines=engine)
with app.app_context():
    if sys.argv[2] == "upgrade":
        alembic.upgrade()
    heads = {script.revision for script in alembic.heads()}
    assert heads
    assert {script.revision for script in alembic.current()} == heads
