"""Everything that speaks SQL: sessions, locks, the state, the ledger. Needs psycopg and nothing else."""
