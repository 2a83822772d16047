"""Notes and their tags."""
