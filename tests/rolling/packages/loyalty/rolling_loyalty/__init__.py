"""Points for customers."""
