"""Whether a provider may be used now; and the sandbox's inbox."""

from django.db import models
from django.db.models.functions import Now


class Provider(models.Model):
    """A row exists once there was trouble, or somebody looked; without one it runs. Stopped by a 401 or 403; its
    messages stay queued until it is resumed. Resting for a while after it could not be reached several times in a row:
    what it did not start may go elsewhere."""

    name = models.TextField(primary_key=True)
    stopped_at = models.DateTimeField(null=True, blank=True)
    stopped_why = models.TextField(default="", db_default="", blank=True)
    failures = models.SmallIntegerField(default=0, db_default=0)  # batches in a row of which it took nothing
    resting_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "providers"


class SandboxMail(models.Model):
    """A mail that the sandbox provider took. No unique key on `mid`: a doubled send must be visible here."""

    mid = models.UUIDField(db_index=True)
    to_address = models.TextField()
    subject = models.TextField()
    html = models.TextField()
    text = models.TextField()
    headers = models.JSONField(default=dict)
    attachments = models.JSONField(default=list, db_default=[])  # [{"name", "content_type", "text"}]
    received_at = models.DateTimeField(db_default=Now())
    reacts_at = models.DateTimeField(null=True)  # when the sandbox's people look at it next; null: never again
    reaction = models.TextField(default="", db_default="")  # what they do next

    class Meta:
        db_table = "sandbox_mails"
        indexes = [
            models.Index(fields=["-id"], name="sandbox_mails_newest_first"),
            models.Index(
                fields=["reacts_at"], condition=models.Q(reacts_at__isnull=False), name="sandbox_mails_to_react"
            ),
        ]
