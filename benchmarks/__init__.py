"""Measurements: each module measures one thing, and what it finds is what the docs show."""
