"""The pure core: values and decisions. Standard library only, no I/O, no database."""
