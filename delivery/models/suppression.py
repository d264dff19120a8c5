"""Addresses that must not be written to."""

from django.db import models
from django.db.models import Q


class Address(models.Model):
    """One row per address ever claimed or suppressed: the lock under which gate and suppression meet.

    `key_hash` is the SHA-256 of the channel and the canonical address; `shown` is what people typed. Erasure empties
    `shown` and puts a keyed hash in the place of the plain one, so a suppression survives the erasure of its person."""

    channel = models.TextField()
    key_hash = models.BinaryField()
    shown = models.TextField(default="", db_default="")
    created_at = models.DateTimeField()

    class Meta:
        db_table = "addresses"
        verbose_name_plural = "addresses"
        constraints = [models.UniqueConstraint(fields=["channel", "key_hash"], name="one_row_per_address")]


class Suppression(models.Model):
    """An address that is not written to. `scope`: all (also transactional) · a channel (its marketing) · a topic.

    Rows are never deleted; a release is stamped."""

    address = models.ForeignKey(Address, on_delete=models.PROTECT, related_name="+")
    scope = models.TextField()
    reason = models.TextField()  # unsubscribe · hard_bounce · soft_bounce · complaint · manual · provider
    source = models.TextField()  # page · one_click · webhook:<provider> · api · admin
    message_id = models.BigIntegerField(null=True)  # what led to it
    created_at = models.DateTimeField()
    released_at = models.DateTimeField(null=True, blank=True)
    released_by = models.TextField(default="", db_default="", blank=True)
    released_why = models.TextField(default="", db_default="", blank=True)

    class Meta:
        db_table = "suppressions"
        constraints = [
            models.UniqueConstraint(
                fields=["address", "scope", "reason"],
                condition=Q(released_at=None),
                name="one_standing_suppression_per_address_scope_and_reason",
            ),
        ]
        indexes = [models.Index(fields=["-created_at"], name="suppressions_newest_first")]
