"""A script: ``python script_host.py EMAIL NAME``, with DATABASE_URL in the environment."""

from __future__ import annotations

import asyncio
import os
import sys

import psycopg

import corehost


async def main(email: str, name: str) -> None:
    """Add a user. The pass goes on a thread of its own: whatever else is in the event loop goes on."""
    host = corehost.Host.from_config(wait_timeout="1min")
    report = await host.migrate_async()
    print(f"{len(report.applied)} revisions applied here")
    async with await psycopg.AsyncConnection.connect(os.environ["DATABASE_URL"]) as connection:
        await connection.execute(
            "INSERT INTO accounts.users (email, display_name) VALUES (%s, %s)", (email, name)
        )
    print(f"added {email}")


if __name__ == "__main__":
    try:
        asyncio.run(main(*sys.argv[1:3]))
    except corehost.CorehostError as error:
        sys.exit(f"script_host: {error}")
