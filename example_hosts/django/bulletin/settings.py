"""The least that Django needs."""

from __future__ import annotations

import os

from psycopg.conninfo import conninfo_to_dict

SECRET_KEY = os.environ.get("SECRET_KEY", "only for this example")
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "bulletin.urls"
USE_TZ = True
INSTALLED_APPS = ["bulletin"]

_database = {name: value for name, value in conninfo_to_dict(os.environ["DATABASE_URL"]).items() if value}
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": _database.pop("dbname"),
        "OPTIONS": _database,
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
