"""Says whether and how a package that knows nothing of corehost can be hosted, without importing it."""

from __future__ import annotations

from corehost.doctor.examine import examine
from corehost.doctor.model import Finding, PackageReport, TreeReport

__all__ = ["Finding", "PackageReport", "TreeReport", "examine"]
