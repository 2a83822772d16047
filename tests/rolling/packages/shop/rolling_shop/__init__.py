"""A shop with customers."""
