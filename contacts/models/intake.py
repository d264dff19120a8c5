"""What the doors remember beside the events: what they refused, what they counted, what they have seen the like of,
and how far they have read."""

from django.db import models
from django.db.models import Q


class QuarantinedEvent(models.Model):
    """An event that could not be taken, as it came (clipped), and why. Kept for a few days, for whoever has to find out
    what is wrong; may be tried again."""

    received_at = models.DateTimeField()
    source = models.TextField()  # api · segment · browser · kafka
    origin = models.TextField(default="", db_default="")  # name of the key, or topic/partition/offset
    raw = models.TextField()
    errors = models.JSONField()  # as in the answer: [{loc, msg, code}]
    released_at = models.DateTimeField(null=True, blank=True)  # tried again, and taken

    class Meta:
        db_table = "quarantined_events"
        indexes = [models.Index(fields=["-received_at", "-id"], name="quarantine_newest_first")]


class IntakeDelta(models.Model):
    """+n events with this outcome, written by the batch that saw them, deleted when folded into `intake_tallies`."""

    hour = models.DateTimeField()
    source = models.TextField()
    outcome = models.TextField()  # accepted · duplicate · held (no consent) · rejected:<code>
    amount = models.BigIntegerField()

    class Meta:
        db_table = "intake_deltas"


class IntakeTally(models.Model):
    """How many events came in, by hour, source and what became of them."""

    hour = models.DateTimeField()
    source = models.TextField()
    outcome = models.TextField()
    amount = models.BigIntegerField()

    class Meta:
        db_table = "intake_tallies"
        constraints = [
            models.UniqueConstraint(fields=["hour", "source", "outcome"], name="one_tally_per_hour_source_and_outcome"),
        ]


class SeenEvent(models.Model):
    """The event catalogue: a type of event, or one of its properties with one of its JSON types, that was seen."""

    event_type = models.TextField()
    property = models.TextField(default="", db_default="")  # empty: the type itself
    value_type = models.TextField(default="", db_default="")  # string · number · boolean · null · object · array
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()

    class Meta:
        db_table = "seen_events"
        constraints = [
            models.UniqueConstraint(
                fields=["event_type", "property", "value_type"], name="one_row_per_event_property_and_type"
            ),
        ]


class KafkaOffset(models.Model):
    """The next message to read of a partition, stored in the transaction of the events that were read before it."""

    group = models.TextField()
    topic = models.TextField()
    partition = models.IntegerField()
    next_offset = models.BigIntegerField()
    updated_at = models.DateTimeField()

    class Meta:
        db_table = "kafka_offsets"
        constraints = [
            models.UniqueConstraint(fields=["group", "topic", "partition"], name="one_offset_per_partition"),
            models.CheckConstraint(condition=Q(next_offset__gte=0), name="offsets_are_not_negative"),
        ]
