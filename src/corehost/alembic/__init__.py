"""Alembic revision files: read without running them, and run one at a time."""
