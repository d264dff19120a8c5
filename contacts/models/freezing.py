"""What stands still, and which database this is."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Coalesce


class Freeze(models.Model):
    """The whole installation, or one workflow, stands still until somebody releases it. Ended, never deleted.

    `workflow_id` null: everything; upper floors are plain ids. `resumes`: the workflow was live, and is again once it
    is released. `snapshot_at`: of a restored copy, when the snapshot was last at work."""

    workflow_id = models.BigIntegerField(null=True)
    kind = models.TextField()  # by_hand · restored
    reason = models.TextField()
    began_at = models.DateTimeField()
    began_by = models.TextField()
    resumes = models.BooleanField(default=False, db_default=False)
    snapshot_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    ended_by = models.TextField(default="", db_default="")

    class Meta:
        db_table = "freezes"
        permissions = [("freeze_installation", "Can freeze and release everything, or a journey")]
        constraints = [
            models.UniqueConstraint(
                Coalesce("workflow_id", 0), "kind", condition=Q(ended_at=None), name="one_freeze_of_a_kind_stands"
            ),
            models.CheckConstraint(condition=Q(kind__in=["by_hand", "restored"]), name="freeze_kind_is_known"),
            models.CheckConstraint(
                condition=~Q(kind="restored") | Q(workflow_id=None), name="a_restored_copy_is_frozen_as_a_whole"
            ),
        ]


class Installation(models.Model):
    """One row: the database that this installation worked with last, and a number that only rises while it works."""

    only = models.BooleanField(primary_key=True, default=True, db_default=True)
    lineage = models.UUIDField()  # a copy elsewhere gets another one: under it the highest beat is remembered
    system_identifier = models.TextField()  # of PostgreSQL's cluster; empty where it may not be read
    database_oid = models.BigIntegerField()
    beat = models.BigIntegerField()
    beaten_at = models.DateTimeField()

    class Meta:
        db_table = "installation"
        constraints = [models.CheckConstraint(condition=Q(only=True), name="there_is_one_installation")]
