"""The SQL texts about releases: which code knew which revisions."""

from __future__ import annotations

from typing import Final

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
