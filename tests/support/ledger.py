"""The ledger's own revisions, which every first pass applies as well."""

from __future__ import annotations

from corehost.alembic.files import read_tree
from corehost.core.namespace import LEDGER
from corehost.core.tree import BranchTree
from corehost.installation import ledger_branch

REVISIONS = BranchTree(ledger_branch(), read_tree(ledger_branch())).order
"""Their ids, in order."""
STEPS = [f"{LEDGER}@{revision}" for revision in REVISIONS]
"""The same as steps of a report."""
