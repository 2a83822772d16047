"""Bootstraps: what a host writes for packages whose history begins after tables that their models create."""

import sqlalchemy as sa


def buildbot(connection: sa.Connection) -> None:
    from buildbot.db.model import Model

    Model.metadata.create_all(connection)


def dagster(connection: sa.Connection) -> None:
    from dagster._core.storage.event_log.schema import SqlEventLogStorageMetadata
    from dagster._core.storage.runs.schema import RunStorageSqlMetadata
    from dagster._core.storage.schedules.schema import ScheduleStorageSqlMetadata

    for metadata in (RunStorageSqlMetadata, SqlEventLogStorageMetadata, ScheduleStorageSqlMetadata):
        metadata.create_all(connection)


def jupyterhub(connection: sa.Connection) -> None:
    from jupyterhub.orm import Base

    Base.metadata.create_all(connection)


def tiled_catalog(connection: sa.Connection) -> None:
    from tiled.catalog.orm import Base

    Base.metadata.create_all(connection)


def tiled_authn(connection: sa.Connection) -> None:
    from tiled.authn_database.orm import Base

    Base.metadata.create_all(connection)


def rucio(connection: sa.Connection) -> None:
    from rucio.db.sqla.models import BASE

    BASE.metadata.create_all(connection)


def privacyidea(connection: sa.Connection) -> None:
    from privacyidea.models import db

    db.metadata.create_all(connection)
