"""The event log, its deduplication keys, which events are awaited, and the queue of those that still have to be
matched."""

from django.db import models
from django.db.models import Q


class ContactEvent(models.Model):
    """Something that a contact did, or that happened to them. Append-only, partitioned by month of `recorded_at`.

    `processed` is the consent stamp taken at insert: false means stored, but invisible to triggers, conditions, waits
    and scores for ever. The table is made by migration 0002 (Django cannot partition); no foreign keys by intent.
    """

    id = models.BigAutoField(primary_key=True)
    contact_id = models.BigIntegerField()
    recorded_contact_id = models.BigIntegerField()  # who it was recorded for; differs only after a merge
    type = models.TextField()
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    properties = models.JSONField()
    context = models.JSONField()
    source = models.TextField()  # api · segment · import · kafka · own
    processed = models.BooleanField()
    key_hash = models.BinaryField()

    class Meta:
        managed = False
        db_table = "contact_events"
        verbose_name = "event"


class EventKey(models.Model):
    """A deduplication key that was seen: a second event with the same key is a duplicate and is counted, not stored.

    Unpartitioned, since a unique key cannot span partitions; pruned after a stated window by retention.
    """

    key_hash = models.BinaryField(primary_key=True)  # 16 bytes, BLAKE2b
    recorded_at = models.DateTimeField()

    class Meta:
        db_table = "event_keys"
        indexes = [models.Index(fields=["recorded_at"], name="event_keys_to_prune")]


class AwaitedEvent(models.Model):
    """A type of event that an owner waits for (see `contacts.awaited`): events of all other types are not queued."""

    owner = models.TextField()  # "workflow:<id>"
    event_type = models.TextField()

    class Meta:
        db_table = "awaited_events"
        constraints = [
            models.UniqueConstraint(fields=["owner", "event_type"], name="an_owner_awaits_a_type_once"),
        ]


class PendingEvent(models.Model):
    """An event that intake has not matched yet: the work queue of `workflows.intake`, written with the event, if
    somebody awaits its type.

    One contact's events share a shard, and a shard is taken by one worker at a time, so they keep their order.
    """

    event_id = models.BigIntegerField(primary_key=True)
    recorded_at = models.DateTimeField()  # with event_id: finds the partition
    lane = models.TextField()  # urgent · bulk
    shard = models.SmallIntegerField()

    class Meta:
        db_table = "pending_events"
        constraints = [
            models.CheckConstraint(condition=Q(lane__in=["urgent", "bulk"]), name="pending_event_lane_is_known"),
        ]
        indexes = [models.Index(fields=["lane", "shard", "event_id"], name="pending_events_of_a_shard")]
