"""Who belongs together: tags (a word on a contact), lists (kept by hand), segments (kept by a condition)."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class Tag(models.Model):
    name = models.TextField(unique=True)

    class Meta:
        db_table = "tags"

    def __str__(self) -> str:
        return self.name


class ContactTag(models.Model):
    contact = models.ForeignKey("contacts.Contact", on_delete=models.CASCADE, related_name="+", db_index=False)
    tag = models.ForeignKey(Tag, on_delete=models.CASCADE, related_name="+", db_index=False)
    added_at = models.DateTimeField()

    class Meta:
        db_table = "contact_tags"
        constraints = [models.UniqueConstraint(fields=["contact", "tag"], name="one_row_per_contact_and_tag")]
        indexes = [models.Index(fields=["tag", "contact"], name="contacts_of_a_tag")]


class List(models.Model):
    """People put together by hand, by an import or by a step. Named by its slug everywhere."""

    slug = models.TextField(unique=True)
    name = models.TextField()
    description = models.TextField(default="", db_default="", blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "lists"

    def __str__(self) -> str:
        return self.name


class ListMember(models.Model):
    contact = models.ForeignKey("contacts.Contact", on_delete=models.CASCADE, related_name="+", db_index=False)
    list = models.ForeignKey(List, on_delete=models.CASCADE, related_name="+", db_index=False)
    joined_at = models.DateTimeField()

    class Meta:
        db_table = "list_members"
        constraints = [models.UniqueConstraint(fields=["contact", "list"], name="one_row_per_contact_and_list")]
        indexes = [models.Index(fields=["list", "id"], name="members_of_a_list")]


class Segment(models.Model):
    """People for whom a condition is true; `segment_members` is its membership, kept by `contacts.audiences`.

    building -- new, or its condition was changed: membership is being filled and tells nobody
    live     -- building -> live: filled; every further change of membership is an event
    """

    slug = models.TextField(unique=True)
    name = models.TextField()
    description = models.TextField(default="", db_default="", blank=True)
    condition = models.JSONField()
    state = models.TextField(default="building", db_default="building")
    # what the condition reads (see conditions.reading): `event:<type>`, `event:*`, `attribute`, `tag`, `segment:<slug>`
    reads = ArrayField(models.TextField(), default=list, db_default=[])
    moves_with_time = models.BooleanField(default=False, db_default=False)
    level = models.SmallIntegerField(default=0, db_default=0)  # one above the segments that its condition asks about
    # transactions from this id on have seen the condition (0: not known yet): filling begins when those before are over
    seen_from = models.BigIntegerField(default=0, db_default=0)
    filled_to = models.BigIntegerField(default=0, db_default=0)  # contact id: how far filling has come
    swept_at = models.DateTimeField(null=True, blank=True)  # when the last look for what only time changed began
    swept_to = models.BigIntegerField(default=0, db_default=0)  # contact id: how far that look has come; 0: it is over
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "segments"
        constraints = [
            models.CheckConstraint(condition=Q(state__in=["building", "live"]), name="segment_state_is_known"),
        ]

    def __str__(self) -> str:
        return self.name


class SegmentMember(models.Model):
    """The id names the stay: `segment_entered` and `segment_left` carry it in their keys, so each is told once."""

    segment = models.ForeignKey(Segment, on_delete=models.CASCADE, related_name="+", db_index=False)
    contact_id = models.BigIntegerField()  # no foreign key: millions of rows, and contacts are never deleted
    entered_at = models.DateTimeField()

    class Meta:
        db_table = "segment_members"
        constraints = [
            models.UniqueConstraint(fields=["contact_id", "segment"], name="one_row_per_contact_and_segment"),
        ]
        indexes = [models.Index(fields=["segment", "id"], name="members_of_a_segment")]


class SegmentCheck(models.Model):
    """A contact of whom something changed that a segment reads: the work queue of `contacts.audiences`, written in the
    transaction of the change, so that whoever checks later sees it. Several rows of one contact are one check."""

    contact_id = models.BigIntegerField()
    about = models.TextField()  # as in Segment.reads; `created`: every segment; `itself:<slug>`: this one
    lane = models.TextField()
    # not before the clock of the change, nor before an event that lies ahead: a check that began earlier would not
    # count it
    due_at = models.DateTimeField()

    class Meta:
        db_table = "segment_checks"
        constraints = [
            models.CheckConstraint(condition=Q(lane__in=["urgent", "bulk"]), name="segment_check_lane_is_known"),
        ]
        indexes = [models.Index(fields=["lane", "due_at", "id"], name="segment_checks_of_a_lane")]
