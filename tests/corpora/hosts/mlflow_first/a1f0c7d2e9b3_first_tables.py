"""The tables of MLflow 0.9.1, which its history begins after: a host's own branch."""

from alembic import op
from mlflow.store.tracking.dbmodels.initial_models import Base

revision = "a1f0c7d2e9b3"
down_revision = None


def upgrade() -> None:
    Base.metadata.create_all(op.get_bind())
