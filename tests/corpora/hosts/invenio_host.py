"""What a host of Invenio's packages writes: its application's context around every step."""

from contextlib import AbstractContextManager
from functools import cache

from flask import Flask
from invenio_db import InvenioDB

from corehost import hookimpl


@cache
def application() -> Flask:
    """An application that knows of the database's models, and of no database: no step asks it for one."""
    app = Flask("host")
    app.config["SQLALCHEMY_DATABASE_URI"] = "postgresql+psycopg://"
    app.config["DB_VERSIONING"] = False  # SQLAlchemy-Continuum would want every model loaded
    InvenioDB(app, entry_point_group=False)
    return app


def application_context() -> AbstractContextManager[object]:
    """A context of its own for each step: one can be entered only once."""
    return application().app_context()


@hookimpl
def corehost_migration_context() -> AbstractContextManager[object]:
    """Invenio's revisions ask ``current_app`` for its configuration."""
    return application_context()
