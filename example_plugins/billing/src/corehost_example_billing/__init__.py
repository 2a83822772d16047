"""Prices, subscriptions and invoices of organisations."""
