"""Where push messages go: the browsers and phones of contacts."""

from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.db.models import Q


class PushDevice(models.Model):
    """A browser's push subscription (`webpush`: `target` is its endpoint, `keys` {p256dh, auth}) or an app's
    registration (`fcm`: `target` is its token). Gone once the push service says that nobody is there."""

    public_id = models.UUIDField(unique=True, editable=False, db_default=RandomUUID())
    contact_id = models.BigIntegerField()
    kind = models.TextField()  # webpush · fcm
    target = models.TextField()
    keys = models.JSONField(default=dict, db_default={})
    agent = models.TextField(default="", db_default="")  # what it called itself when it registered
    created_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    gone_at = models.DateTimeField(null=True)
    gone_why = models.TextField(default="", db_default="")

    class Meta:
        db_table = "push_devices"
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=["webpush", "fcm"]), name="device_kind_is_known"),
            models.UniqueConstraint(fields=["kind", "target"], name="one_row_per_device"),
        ]
        indexes = [
            models.Index(fields=["contact_id"], condition=Q(gone_at=None), name="devices_of_a_contact"),
        ]
