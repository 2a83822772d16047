"""A Celery worker that takes no task before its tables are there: ``celery -A celery_host worker``."""

from __future__ import annotations

import os
from typing import Any

import psycopg
from celery import Celery
from celery.signals import worker_init, worker_process_init, worker_process_shutdown, worker_shutdown

import corehost

queue = os.environ.get("QUEUE_FOLDER", "queue")
for folder in ("messages", "control", "results"):
    os.makedirs(os.path.join(queue, folder), exist_ok=True)

# Files for a broker, so that the example needs no service; put your broker's address here.
app = Celery("celery_host", broker="filesystem://", backend=f"file://{os.path.abspath(queue)}/results")
app.conf.broker_transport_options = {
    "data_folder_in": os.path.join(queue, "messages"),
    "data_folder_out": os.path.join(queue, "messages"),
    "control_folder": os.path.join(queue, "control"),
}

host = corehost.Host.from_config()
health = corehost.HealthServer(host, port=int(os.environ.get("HEALTH_PORT", "8081")))


@app.task
def count_users() -> int:
    """How many users there are."""
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        ((number,),) = connection.execute("SELECT count(*) FROM accounts.users")
    return int(number)


@worker_init.connect
def migrate(**_: Any) -> None:
    """Run the pass in the parent, before its pool is forked and before it asks the broker for a task.

    Celery logs what a handler raises and goes on; SystemExit it lets pass.
    """
    health.__enter__()
    try:
        host.migrate()
    except corehost.CorehostError as error:
        print(f"celery_host: {error}", flush=True)
        raise SystemExit(error.exit_code) from error


@worker_process_init.connect
def start(**_: Any) -> None:
    """Start the plugins in each process of the pool; nothing is pending any more, so this takes one look."""
    host.start()


@worker_process_shutdown.connect
def stop(**_: Any) -> None:
    """Stop the plugins where they were started."""
    host.stop()


@worker_shutdown.connect
def close(**_: Any) -> None:
    """Answer probes to the end."""
    health.__exit__(None, None, None)
