"""The SQL texts about releases and presences: which code knew which revisions, and who is there."""

from __future__ import annotations

from typing import Final

from corehost.core.namespace import PRESENCE_TAG
from corehost.postgres.sql import MY_DATABASE

# Of a ledger that is older than the tables of releases.
OLD_LINEAGE: Final = """
SELECT DISTINCT ON (revision) revision, parents, phase, NULL::boolean, distribution, version, NULL
FROM corehost.step
WHERE schema_name = %(schema_name)s AND version_table = %(version_table)s AND outcome = 'applied'
ORDER BY revision, id DESC"""
# What was said when a revision was applied counts for more than what was known of it before.
LINEAGE: Final = """
SELECT revision, coalesce(r.parents, s.parents),
  CASE WHEN s.destructive IS NULL THEN coalesce(s.phase, r.phase) ELSE s.phase END,
  coalesce(s.destructive, r.destructive), coalesce(s.distribution, r.distribution),
  coalesce(s.version, r.version), s.release
FROM (
  SELECT DISTINCT ON (revision) revision, parents, phase, destructive, distribution, version, release
  FROM corehost.step
  WHERE schema_name = %(schema_name)s AND version_table = %(version_table)s AND outcome = 'applied'
  ORDER BY revision, id DESC
) s FULL JOIN (
  SELECT revision, parents, phase, destructive, distribution, version
  FROM corehost.revision WHERE schema_name = %(schema_name)s AND version_table = %(version_table)s
) r USING (revision)"""
RELEASED_HEADS: Final = """
SELECT digest, heads FROM corehost.release_branch
WHERE schema_name = %(schema_name)s AND version_table = %(version_table)s"""
# One round trip, once for each release: nothing of it is new afterwards.
RECORD_RELEASE: Final = """
WITH known AS (
  INSERT INTO corehost.revision
    (schema_name, version_table, revision, parents, depends_on, phase, destructive, distribution, version)
  SELECT * FROM pg_catalog.jsonb_to_recordset(%(revisions)s::jsonb) AS r(schema_name text,
    version_table text, revision text, parents text[], depends_on text[], phase text, destructive boolean,
    distribution text, version text)
  ON CONFLICT DO NOTHING
), heads AS (
  INSERT INTO corehost.release_branch
    (digest, schema_name, version_table, branch, heads, distribution, version)
  SELECT %(digest)s, * FROM pg_catalog.jsonb_to_recordset(%(branches)s::jsonb) AS b(schema_name text,
    version_table text, branch text, heads text[], distribution text, version text)
  ON CONFLICT DO NOTHING
)
INSERT INTO corehost.release (digest) VALUES (%(digest)s) ON CONFLICT DO NOTHING"""
IS_RECORDED: Final = "SELECT 1 FROM corehost.release WHERE digest = %s"

# --- who is there ----------------------------------------------------------------------------------

TAKE_PRESENCE: Final = """
SELECT pg_catalog.pg_try_advisory_lock_shared({first}, {second}),
  pg_catalog.set_config('application_name', %s, false)"""
IS_STANDBY: Final = "SELECT pg_catalog.pg_is_in_recovery()"
IS_THERE: Final = "SELECT 1"
PRESENT: Final = f"""
SELECT l.classid::bigint, l.objid::bigint, l.pid, coalesce(a.application_name, ''), a.backend_start
FROM pg_catalog.pg_locks l
LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.objsubid = 2 AND l.granted AND l.mode = 'ShareLock'
  AND l.database = {MY_DATABASE} AND l.classid::bigint >> 16 = {PRESENCE_TAG}
ORDER BY l.pid"""
RECORDED: Final = "SELECT digest FROM corehost.release WHERE digest = ANY (%s::text[])"
RELEASED: Final = """
SELECT digest, branch, schema_name, version_table, heads, distribution, version
FROM corehost.release_branch WHERE digest = ANY (%s::text[])"""
PAST: Final = """
SELECT digest, branch, heads, distribution, version,
  extract(epoch FROM clock_timestamp() - greatest(r.recorded_at, r.seen_at))::float8,
  r.unseen_at IS NOT NULL
FROM corehost.release_branch b JOIN corehost.release r USING (digest)
WHERE schema_name = %(schema_name)s AND version_table = %(version_table)s"""
AGES: Final = """
SELECT revision, extract(epoch FROM clock_timestamp() - recorded_at)::float8
FROM corehost.revision
WHERE schema_name = %(schema_name)s AND version_table = %(version_table)s"""
BY_STRANGERS: Final = """
SELECT EXISTS (SELECT FROM corehost.step
  WHERE schema_name = %(schema_name)s AND version_table = %(version_table)s
    AND outcome = 'applied' AND release IS NULL)"""
SEEN: Final = """
UPDATE corehost.release SET seen_at = pg_catalog.clock_timestamp() WHERE digest = ANY (%s::text[])"""
UNSEEN: Final = """
UPDATE corehost.release SET unseen_at = pg_catalog.clock_timestamp() WHERE digest = %s"""
