"""Flask behind the gate: ``gunicorn flask_host:app``, with DATABASE_URL in the environment."""

from __future__ import annotations

import os

import psycopg
from corehost_example_accounts.models import User
from flask import Flask, jsonify
from flask.typing import ResponseReturnValue
from sqlalchemy import create_engine, select

from corehost import Host
from corehost.wsgi import ReadinessGate

app = Flask(__name__)
engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(os.environ["DATABASE_URL"]))


@app.get("/users")
def users() -> ResponseReturnValue:
    """The e-mail addresses of all users."""
    with engine.connect() as connection:
        return jsonify(list(connection.scalars(select(User.email).order_by(User.email))))


gate = ReadinessGate(app.wsgi_app, Host.from_config())
app.wsgi_app = gate  # type: ignore[method-assign]
