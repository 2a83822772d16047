"""The readiness gate for ASGI applications."""

from corehost.web.asgi import ReadinessGate

__all__ = ["ReadinessGate"]
