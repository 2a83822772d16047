"""Puts documents in, and finds them by parts of words."""

from __future__ import annotations

import re

from sqlalchemy import Column, Connection, DateTime, MetaData, Table, Text, func
from sqlalchemy.dialects.postgresql import insert

metadata = MetaData(schema="search")

documents = Table(
    "documents",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("reference", Text, primary_key=True),
    Column("title", Text, nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)


def put(connection: Connection, *, kind: str, reference: str, title: str) -> None:
    """Add a document, or give it its new title."""
    statement = insert(documents).values(kind=kind, reference=reference, title=title)
    connection.execute(
        statement.on_conflict_do_update(
            constraint="pk_documents",
            set_={"title": statement.excluded.title, "updated_at": func.now()},
        )
    )


def find(connection: Connection, text: str, *, limit: int = 20) -> list[tuple[str, str, str]]:
    """Documents whose title contains the text, newest first, as (kind, reference, title)."""
    pattern = re.sub(r"([\\%_])", r"\\\1", text)
    matching = documents.c.title.ilike(f"%{pattern}%")  # icontains() wraps the column, and misses the index
    statement = documents.select().where(matching).order_by(documents.c.updated_at.desc()).limit(limit)
    return [(row.kind, row.reference, row.title) for row in connection.execute(statement)]
