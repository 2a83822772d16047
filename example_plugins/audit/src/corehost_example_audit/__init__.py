"""Watches what corehost does, and keeps a trail of it."""
