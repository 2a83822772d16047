"""Django behind the gate: ``gunicorn bulletin.wsgi``, with DATABASE_URL in the environment."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

from corehost import Host
from corehost.wsgi import ReadinessGate

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bulletin.settings")

application = ReadinessGate(get_wsgi_application(), Host.from_config())
