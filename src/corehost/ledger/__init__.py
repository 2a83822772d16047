"""corehost's own Alembic branch: the ledger. Its revisions only ever add."""
