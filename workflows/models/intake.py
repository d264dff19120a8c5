"""What intake remembers of events: that it used them, and why it refused them."""

from django.db import models


class ProcessedTrigger(models.Model):
    """An event that was matched against triggers. Claimed in intake's SERIALIZABLE transaction, so that a key can
    start workflows once only, however often its event is delivered."""

    key_hash = models.BinaryField(primary_key=True)  # the event's deduplication key
    event_id = models.BigIntegerField()
    processed_at = models.DateTimeField()

    class Meta:
        db_table = "processed_triggers"
        indexes = [models.Index(fields=["processed_at"], name="processed_triggers_to_prune")]


class EntryRefusal(models.Model):
    """A matching event that enrolled nobody, and why. Append-only: every refused entry leaves its reason."""

    workflow_id = models.BigIntegerField()
    contact_id = models.BigIntegerField()
    event_id = models.BigIntegerField(null=True)
    version_id = models.BigIntegerField(null=True)
    reason = models.TextField()  # audience · rollout · holdout · re_entry · loop · …
    detail = models.JSONField(default=dict, db_default={})  # what was read
    refused_at = models.DateTimeField()

    class Meta:
        db_table = "entry_refusals"
        indexes = [
            models.Index(fields=["contact_id", "workflow_id"], name="refusals_of_a_contact"),
            models.Index(fields=["workflow_id", "-id"], name="refusals_of_a_workflow"),
        ]
