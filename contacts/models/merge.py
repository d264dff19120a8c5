"""Two profiles that turned out to be one person: what was moved, so that it can be moved back."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q


class ContactMerge(models.Model):
    """The ledger of merges. `before` is what the survivor's profile was, and what the merge made of it."""

    survivor_id = models.BigIntegerField()
    absorbed_id = models.BigIntegerField()
    merged_at = models.DateTimeField()
    source = models.TextField()  # api · admin · segment (alias, identify) · import
    actor = models.TextField(default="", db_default="", blank=True)  # the key or the person who asked for it
    before = models.JSONField()
    undone_at = models.DateTimeField(null=True, blank=True)
    undone_by = models.TextField(default="", db_default="", blank=True)

    class Meta:
        db_table = "contact_merges"
        constraints = [
            models.CheckConstraint(condition=~Q(survivor_id=F("absorbed_id")), name="nobody_merges_into_themselves"),
            models.UniqueConstraint(
                fields=["absorbed_id"], condition=Q(undone_at=None), name="a_contact_is_absorbed_once_at_a_time"
            ),
        ]
        indexes = [
            models.Index(fields=["survivor_id"], name="merges_of_a_survivor"),
            models.Index(fields=["-merged_at"], name="merges_newest_first"),
            models.Index(fields=["undone_at"], condition=Q(undone_at__isnull=False), name="merges_undone"),
        ]


class MergedRows(models.Model):
    """Rows of one table that a merge gave to the survivor: by their ids, several rows of this table for many."""

    merge = models.ForeignKey(ContactMerge, on_delete=models.CASCADE, related_name="+")
    table = models.TextField()
    row_ids = ArrayField(models.BigIntegerField())

    class Meta:
        db_table = "contact_merge_rows"
