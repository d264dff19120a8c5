"""Addresses of our own that see every message as it would go out."""

from django.db import models


class SeedAddress(models.Model):
    """A member of the seed list: outside caps, counters and experiments. `locale` empty: every locale."""

    email = models.TextField(unique=True)
    locale = models.TextField(default="", db_default="", blank=True)
    note = models.TextField(default="", db_default="", blank=True)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "seed_addresses"
        verbose_name_plural = "seed addresses"

    def __str__(self) -> str:
        return self.email
