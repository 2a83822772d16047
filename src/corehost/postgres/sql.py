"""Every SQL text, named. Identifiers are put in by :func:`quoted`, values by psycopg."""

from __future__ import annotations

from typing import Final

from corehost.core.namespace import Namespace


def quoted(identifier: str) -> str:
    """An identifier as PostgreSQL reads it back unchanged."""
    return '"' + identifier.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as a constant of SQL (``standard_conforming_strings`` is on)."""
    return "'" + text.replace("'", "''") + "'"


def version_table(namespace: Namespace) -> str:
    """The qualified, quoted name of a branch's version table."""
    return f"{quoted(namespace.schema)}.{quoted(namespace.version_table)}"


# --- session ---------------------------------------------------------------------------------------

CONFIGURE: Final = """
SELECT pg_catalog.set_config(name, value, false)
FROM unnest(%s::text[], %s::text[]) AS setting(name, value)
"""
CURRENT_DATABASE: Final = "SELECT pg_catalog.current_database()"
BACKEND_PID: Final = "SELECT pg_catalog.pg_backend_pid()"
SET_MARK: Final = "SELECT pg_catalog.set_config(%s, %s, false)"
READ_MARK: Final = "SELECT pg_catalog.current_setting(%s, true)"
RESET_ROLE: Final = "RESET SESSION AUTHORIZATION"
ROLE: Final = "SELECT pg_catalog.current_setting('role')"
SET_ROLE: Final = "SELECT pg_catalog.set_config('role', %s, false)"
SESSION_NOW: Final = ", ".join(
    f"pg_catalog.current_setting('{name}')"
    for name in (
        "search_path",
        "lock_timeout",
        "statement_timeout",
        "idle_session_timeout",
        "idle_in_transaction_session_timeout",
        "role",
    )
)
# Behind it a statement that waits for all others by design is not cut short.
NO_LOCK_TIMEOUT: Final = "SET lock_timeout = 0"
WRITES_AS: Final = """
SELECT pg_catalog.current_setting('transaction_read_only')::boolean, pg_catalog.pg_backend_pid()"""
IDLE_SINCE: Final = """
SELECT CASE WHEN state LIKE 'idle%%' THEN state_change::text END
FROM pg_catalog.pg_stat_activity WHERE pid = %s"""

# --- state, without any lock -----------------------------------------------------------------------

EXISTING_TABLES: Final = """
SELECT n.nspname, c.relname
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN unnest(%s::text[], %s::text[]) AS wanted(nspname, relname) USING (nspname, relname)
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
"""
ROWS_OF: Final = "SELECT {place}, version_num::text FROM {table}"
LEDGER_BRANCHES: Final = "SELECT -1, row_to_json(b)::text FROM corehost.branch b"
OPEN_STEPS: Final = """
SELECT -2, row_to_json(s)::text FROM (
  SELECT *, extract(epoch FROM clock_timestamp() - coalesce(finished_at, started_at)) AS age
  FROM corehost.step WHERE open
) s"""
PARTIAL_STEPS: Final = "SELECT -1, revision FROM corehost.step WHERE open AND partial"

# --- locks -----------------------------------------------------------------------------------------

MY_DATABASE: Final = "(SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())"
TRY_EXCLUSIVE: Final = "pg_catalog.pg_try_advisory_lock({key})"
TRY_SHARED: Final = "pg_catalog.pg_try_advisory_lock_shared({key})"
# Refused while somebody has announced that he needs the namespace for himself.
TRY_SHARED_POLITELY: Final = (
    "pg_catalog.pg_try_advisory_lock_shared({intent}) AND pg_catalog.pg_advisory_unlock_shared({intent})"
    " AND pg_catalog.pg_try_advisory_lock_shared({key})"
)
UNLOCK_EXCLUSIVE: Final = "pg_catalog.pg_advisory_unlock({key})"
UNLOCK_SHARED: Final = "pg_catalog.pg_advisory_unlock_shared({key})"
# The server records no time at which a granted lock was taken: the holder says it in its name.
MARK_SINCE: Final = """pg_catalog.set_config('application_name', {name} || ' since ' || pg_catalog.to_char(
  pg_catalog.clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), false)"""
UNMARK: Final = "pg_catalog.set_config('application_name', {name}, false)"
HOLDERS: Final = f"""
SELECT (l.classid::bigint << 32) | l.objid::bigint, l.pid, coalesce(a.application_name, ''),
       coalesce(a.state = 'active' AND coalesce(a.wait_event_type, '') NOT IN ('Client', 'Lock'), false),
       CASE WHEN a.state LIKE 'idle%%' OR (a.state = 'active' AND a.wait_event_type = 'Client')
         THEN concat_ws(' ', a.state_change, c.bytes_processed) END
FROM pg_catalog.pg_locks l
LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
LEFT JOIN pg_catalog.pg_stat_progress_copy c ON c.pid = l.pid
WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted AND l.mode = 'ExclusiveLock'
  AND l.database = {MY_DATABASE}
  AND ((l.classid::bigint << 32) | l.objid::bigint) = ANY (%s::bigint[])
"""

# Differs after every step of every pass, one that was begun before included; not after stock Alembic's.
PROGRESS: Final = "SELECT (SELECT max(id) FROM corehost.step), (SELECT max(updated_at) FROM corehost.branch)"
TERMINATE: Final = "SELECT pg_catalog.pg_terminate_backend(%s)"

# --- the pass: under the lock ----------------------------------------------------------------------

SCHEMA_EXISTS: Final = "SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = %s"
CREATE_SCHEMA: Final = "CREATE SCHEMA IF NOT EXISTS {schema}"
# Alembic's own layout (alembic.ddl.impl.DefaultImpl.version_table_impl).
CREATE_VERSION_TABLE: Final = """
CREATE TABLE IF NOT EXISTS {table} (
  version_num VARCHAR({width}) NOT NULL, CONSTRAINT {constraint} PRIMARY KEY (version_num)
)"""
ANY_RELATION: Final = """
SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.relname <> ALL (%s::text[])
LIMIT 1"""
MISSING_EXTENSIONS: Final = """
SELECT wanted.name FROM unnest(%s::text[]) AS wanted(name)
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_extension e WHERE e.extname = wanted.name)
"""
VERSION_TABLE_WIDTH: Final = """
SELECT a.atttypmod - 4 FROM pg_catalog.pg_attribute a
WHERE a.attrelid = pg_catalog.to_regclass(%s) AND a.attname = 'version_num' AND a.atttypmod > 0"""
WIDEN_VERSION_TABLE: Final = "ALTER TABLE {table} ALTER COLUMN version_num TYPE VARCHAR({width})"
CREATE_EXTENSION: Final = "CREATE EXTENSION IF NOT EXISTS {extension} SCHEMA {schema}"

# What CREATE INDEX CONCURRENTLY leaves behind when it is cut short. A partitioned table's index may be
# invalid by design (relkind I), and one that somebody is building just now is so for a while.
INVALID_INDEXES: Final = """
SELECT c.relname
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND NOT i.indisvalid AND c.relkind = 'i'
  AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid)
ORDER BY 1"""
DROP_INDEX: Final = "DROP INDEX CONCURRENTLY IF EXISTS {schema}.{index}"

# Whether this session still holds the namespace's lock.
# The lock is held twice: giving one hold back tells whether it is there, and is taken again at once. The
# view pg_locks would tell it too, at several times the price.
HELD: Final = """held AS MATERIALIZED (
  SELECT CASE WHEN pg_catalog.pg_advisory_unlock(%(key)s::bigint)
      AND pg_catalog.pg_try_advisory_lock(%(key)s::bigint) THEN 1 ELSE 0 END AS n
)"""
# A revision may have taken a role that has no right to write the ledger.
_CHECKED: Final = f"""
WITH {HELD}, found AS (
  SELECT coalesce(array_agg(version_num::text ORDER BY version_num COLLATE "C"), '{{{{}}}}') AS rows
  FROM {{table}}
), gone AS (
  DELETE FROM {{table}} WHERE version_num::text = ANY (%(removed)s::text[]) RETURNING 1
), came AS (
  INSERT INTO {{table}} (version_num) SELECT unnest(%(added)s::text[]) RETURNING 1
), left_behind AS (
  INSERT INTO corehost.branch AS b
    (schema_name, version_table, branch, heads, distribution, version, updated_at)
  VALUES (%(schema_name)s, %(version_table)s, %(branch)s, %(after)s::text[], %(distribution)s,
    %(version)s, pg_catalog.clock_timestamp())
  ON CONFLICT (schema_name, version_table) DO UPDATE SET branch = excluded.branch,
    heads = excluded.heads, distribution = excluded.distribution, version = excluded.version,
    updated_at = excluded.updated_at
  RETURNING 1
), settled AS (
  UPDATE corehost.step SET open = false
  WHERE %(settle)s::boolean AND open AND schema_name = %(schema_name)s AND version_table = %(version_table)s
    AND id IS DISTINCT FROM %(started_id)s::bigint
  RETURNING 1
), {{record}}
SELECT CASE
    -- A cast that fails at run time is how a plain statement refuses: the COMMIT behind it never runs.
    WHEN held.n <> 1 THEN ('corehost: lock lost, held ' || held.n)::bigint
    WHEN found.rows <> %(before)s::text[] OR (SELECT count(*) FROM gone) <> cardinality(%(removed)s::text[])
      THEN ('corehost: rows changed, found ' || found.rows::text)::bigint
    ELSE (SELECT max(id) FROM recorded)
  END, {SESSION_NOW}
FROM held, found"""
_STEP_COLUMNS: Final = """schema_name, version_table, branch, revision, action, parents, depends_on, required,
  phase, distribution, version, corehost_version, pass_id, host, pid, backend_pid, destructive, release"""
_STEP_VALUES: Final = """%(schema_name)s, %(version_table)s, %(branch)s, %(revision)s, %(action)s,
  %(parents)s::text[], %(depends_on)s::text[], %(required)s::text[], %(phase)s, %(distribution)s, %(version)s,
  %(corehost_version)s, %(pass_id)s::uuid, %(host)s, %(pid)s::integer, pg_catalog.pg_backend_pid(),
  %(destructive)s::boolean, %(release)s::text"""
_MS: Final = "%(duration_ms)s::double precision"
_DURATION: Final = f"make_interval(secs => {_MS} / 1000.0)"
_INSERT_APPLIED: Final = f"""
  INSERT INTO corehost.step ({_STEP_COLUMNS}, outcome, started_at, finished_at, duration_ms)
  SELECT {_STEP_VALUES}, 'applied', clock_timestamp() - {_DURATION}, clock_timestamp(), {_MS}"""
RECORD_APPLIED: Final = f"recorded AS ({_INSERT_APPLIED} RETURNING id)"
# 'started' is not there any more where the step has rolled back the part that it was written in.
FINISH_STARTED: Final = f"""finished AS (
  UPDATE corehost.step SET outcome = 'applied', open = false, finished_at = clock_timestamp(),
    duration_ms = %(duration_ms)s
  WHERE id = %(started_id)s AND open RETURNING id
), inserted AS ({_INSERT_APPLIED} WHERE NOT EXISTS (SELECT FROM finished) RETURNING id
), recorded AS (SELECT id FROM finished UNION ALL SELECT id FROM inserted)"""
# Without the lock somebody else may be running the step by now: a part of it must not be committed either.
RECORD_STARTED: Final = f"""
WITH {HELD}
INSERT INTO corehost.step ({_STEP_COLUMNS}, outcome, open, partial, started_at)
SELECT {_STEP_VALUES}, 'started', true,
  CASE WHEN held.n = 1 THEN %(partial)s ELSE ('corehost: lock lost, held ' || held.n)::boolean END,
  clock_timestamp() - {_DURATION}
FROM held
RETURNING id"""
RECORD_FAILED: Final = f"""
WITH settled AS (
  UPDATE corehost.step SET open = false
  WHERE open AND NOT partial AND schema_name = %(schema_name)s AND version_table = %(version_table)s
)
INSERT INTO corehost.step
  ({_STEP_COLUMNS}, outcome, open, started_at, finished_at, duration_ms, error, attempt)
VALUES ({_STEP_VALUES}, 'failed', true, clock_timestamp() - {_DURATION}, clock_timestamp(), %(duration_ms)s,
  %(error)s, 1 + coalesce((
    SELECT max(attempt) FROM corehost.step
    WHERE open AND schema_name = %(schema_name)s AND version_table = %(version_table)s
      AND revision = %(revision)s), 0))"""
FAIL_STARTED: Final = """
UPDATE corehost.step SET outcome = 'failed', finished_at = clock_timestamp(), duration_ms = %(duration_ms)s,
  error = %(error)s
WHERE id = %(started_id)s"""
ROLLED_BACK: Final = """
UPDATE corehost.step SET outcome = 'rolled_back', open = false, action = 'resolve',
  finished_at = clock_timestamp()
WHERE id = %s AND open"""
# --- taking over what others have applied -----------------------------------------------------------

TRACKING_TABLES: Final = """
SELECT n.nspname, c.relname
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relkind IN ('r', 'p', 'v') AND n.nspname <> 'corehost' AND n.nspname !~ '^pg_|^information_schema$'
  AND pg_catalog.has_table_privilege(c.oid, 'SELECT') AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
GROUP BY c.oid, n.nspname, c.relname
HAVING array_agg(a.attname::text) = ARRAY['version_num']
  OR (c.relname LIKE '%alembic%' AND 'version_num' = ANY (array_agg(a.attname::text)))
ORDER BY 1, 2"""
ADD_APPLIED: Final = f"""
INSERT INTO corehost.step ({_STEP_COLUMNS}, outcome, finished_at)
VALUES ({_STEP_VALUES}, 'applied', clock_timestamp())"""
REVERT: Final = """recorded AS (
  UPDATE corehost.step SET outcome = 'reverted'
  WHERE outcome = 'applied' AND schema_name = %(schema_name)s AND version_table = %(version_table)s
    AND revision = ANY (%(reverted)s::text[])
  RETURNING id
)"""

# A step that has so far committed whole batches alone commits something else.
MARK_PARTIAL: Final = f"""
WITH {HELD}
UPDATE corehost.step SET partial =
  CASE WHEN held.n = 1 THEN true ELSE ('corehost: lock lost, held ' || held.n)::boolean END
FROM held WHERE id = %(started_id)s"""
IS_PARTIAL: Final = "SELECT 1 FROM corehost.step WHERE id = %(started_id)s AND partial"
IS_STARTED: Final = "SELECT 1 FROM corehost.step WHERE id = %(started_id)s"
APPLIED_BY_PASS: Final = """
SELECT 1 FROM corehost.step
WHERE pass_id = %(pass_id)s::uuid AND schema_name = %(schema_name)s AND version_table = %(version_table)s
  AND revision = %(revision)s AND outcome = 'applied'"""

# --- reports ---------------------------------------------------------------------------------------

HISTORY: Final = """
SELECT id, branch, schema_name, version_table, revision, action, outcome, open, partial, parents, depends_on,
  required, phase, distribution, version, corehost_version, host, pid, started_at, finished_at,
  duration_ms, error
FROM corehost.step
WHERE (%(branch)s::text IS NULL OR branch = %(branch)s) AND (%(before)s::bigint IS NULL OR id < %(before)s)
ORDER BY id DESC LIMIT %(limit)s
"""


def without_releases(statement: str) -> str:
    """The same for a ledger that has no columns of releases yet."""
    for part in (", destructive, release", ",\n  %(destructive)s::boolean, %(release)s::text"):
        statement = statement.replace(part, "")
    return statement


def finish_statement(namespace: Namespace, record: str) -> str:
    """The statement that checks lock and rows, and writes version rows and ledger; COMMIT is to follow."""
    table = version_table(namespace).replace("%", "%%")  # parameters are put in afterwards
    return _CHECKED.format(table=table, record=record)
