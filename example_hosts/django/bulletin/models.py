"""Tables of a plugin as Django sees them: it reads them, and their migrations are the plugin's."""

from __future__ import annotations

from django.db import models


class User(models.Model):
    """A person who can sign in."""

    email = models.TextField()
    display_name = models.TextField()

    class Meta:
        managed = False
        db_table = '"accounts"."users"'

    def __str__(self) -> str:
        return self.email
