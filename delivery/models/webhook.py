"""What ESPs told us: the bodies as they came, and the feedback folded out of them."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models.fields.json import KT


class WebhookDelivery(models.Model):
    """`webhook_inbox`: a verified body, stored before we answer 2xx and folded afterwards."""

    provider = models.TextField()
    body = models.BinaryField()
    received_at = models.DateTimeField()
    folded_at = models.DateTimeField(null=True)
    error = models.TextField(default="", db_default="")
    message_ids = ArrayField(models.BigIntegerField(), default=list, db_default=[])  # the messages that it is about
    names_others = models.BooleanField(default=True, db_default=True)  # it says something of no message of ours, too

    class Meta:
        db_table = "webhook_inbox"
        verbose_name_plural = "webhook deliveries"
        indexes = [
            models.Index(fields=["id"], condition=models.Q(folded_at=None), name="webhook_inbox_to_fold"),
            GinIndex(fields=["message_ids"], name="webhook_bodies_of_messages"),
            models.Index(fields=["id"], condition=models.Q(names_others=True), name="webhook_bodies_of_others"),
        ]


class Feedback(models.Model):
    """One thing that happened to a message, in our vocabulary. Append-only; a duplicate delivery has the same
    `dedup_hash` and is dropped. A message's delivery status is the maximum over its rows, in any order."""

    message_id = models.BigIntegerField(null=True)  # null: the ESP named no message of ours
    kind = models.TextField()  # see delivery.vocabulary
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    is_machine = models.BooleanField(default=False, db_default=False)
    detail = models.JSONField(default=dict, db_default={})
    provider = models.TextField()
    dedup_hash = models.BinaryField()

    class Meta:
        db_table = "message_feedback"
        constraints = [models.UniqueConstraint(fields=["dedup_hash"], name="one_row_per_feedback")]
        indexes = [
            models.Index(fields=["message_id", "kind"], name="feedback_of_a_message"),
            # what decides about an address: its soft bounces, and what its owner said last
            models.Index(
                KT("detail__address_id"),
                "kind",
                "occurred_at",
                condition=models.Q(kind__in=["soft_bounce", "unsubscribed", "resubscribed"]),
                name="feedback_of_an_address",
            ),
        ]


class ParkedReport(models.Model):
    """A report that names a message which is not here: of another installation, or of ours and lost in a restore. What
    follows for its address has followed; the rest waits for the message until `WEBHOOK_RETENTION`."""

    mid = models.UUIDField()
    report = models.JSONField()  # kind, occurred_at, is_machine, detail, channel
    provider = models.TextField()
    dedup_hash = models.BinaryField()
    parked_at = models.DateTimeField()

    class Meta:
        db_table = "parked_reports"
        constraints = [models.UniqueConstraint(fields=["dedup_hash"], name="one_parked_row_per_report")]
        indexes = [
            models.Index(fields=["mid"], name="parked_of_a_message"),
            models.Index(fields=["parked_at"], name="parked_oldest_first"),
        ]


class WebhookToken(models.Model):
    """A token whose signature does not cover the body that came with it, and a hash of that body."""

    provider = models.TextField()
    token_hash = models.BinaryField()
    content_hash = models.BinaryField()
    used_at = models.DateTimeField()

    class Meta:
        db_table = "webhook_tokens"
        constraints = [models.UniqueConstraint(fields=["provider", "token_hash"], name="one_content_per_webhook_token")]
        indexes = [models.Index(fields=["used_at"], name="webhook_tokens_oldest_first")]
