"""What a host of Fief imports first: Fief's settings, without which its models cannot be imported."""

import base64
import importlib
import os

for name in ("SECRET", "FIEF_CLIENT_ID", "FIEF_CLIENT_SECRET"):
    os.environ.setdefault(name, "of no use to a revision")
os.environ.setdefault("ENCRYPTION_KEY", base64.urlsafe_b64encode(bytes(32)).decode())
importlib.import_module("fief.models")
