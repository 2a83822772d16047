"""``corehost index``."""

from __future__ import annotations

import time

from corehost.cli.command import reporting
from corehost.cli.invocation import Invocation


@reporting("index", {"file": None, "branches": 0, "revisions": 0})
def index(run: Invocation) -> None:
    """Keep what is installed, so that a start that finds nothing to do need not read it.

    For the building of an image, after everything is installed. The index lies in COREHOST_CACHE_DIR, by
    default in the user's cache folder; it is not believed once any file that it came from has changed.
    """
    from corehost import index as store
    from corehost.core.errors import ConfigurationError
    from corehost.installation import Installation

    installation = run.installation
    graph = installation.graph
    file = store.keep(installation)
    if file is None:  # what was installed just now is believed in a moment, if it is read again then
        time.sleep(store.RACY)
        file = store.keep(Installation(run.settings))
    if file is None:
        raise ConfigurationError(
            f"the index cannot be kept in {store.folder()}",
            hint="name a folder that can be written to in COREHOST_CACHE_DIR; no plugin may be left out",
        )
    revisions = sum(len(tree.revisions) for tree in graph.trees.values())
    run.document |= {"file": str(file), "branches": len(graph.trees), "revisions": revisions}
    run.remark(f"{revisions} revisions of {len(graph.trees)} branches in {file}")
