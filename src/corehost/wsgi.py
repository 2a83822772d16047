"""The readiness gate for WSGI applications."""

from corehost.web.wsgi import ReadinessGate

__all__ = ["ReadinessGate"]
