"""A Django project on tables that plugins bring."""
