"""Rehearsals that somebody asked for, and what they found."""

from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.db.models import Q


class Rehearsal(models.Model):
    """One period played to one definition, in a process of its own. `asked`: the rest of the question (`sample`,
    `moment` in seconds, `clock`, `run_out`). `beat_at`: when the process last said how far it is; one that has been
    silent for long is gone.

    queued -> running -> done | failed | stopped; stopping: running, and asked to end"""

    public_id = models.UUIDField(unique=True, editable=False, db_default=RandomUUID())
    workflow = models.ForeignKey("workflows.Workflow", on_delete=models.CASCADE, related_name="+", db_index=False)
    number = models.IntegerField(null=True)  # of the version; null: the draft as it is when it begins
    since = models.DateTimeField()
    until = models.DateTimeField()
    asked = models.JSONField(default=dict, db_default={})
    state = models.TextField(default="queued", db_default="queued")
    played_to = models.DateTimeField(null=True)  # the simulated time
    played = models.BigIntegerField(default=0, db_default=0)  # facts
    expected = models.BigIntegerField(null=True)
    report = models.JSONField(null=True)
    error = models.TextField(default="", db_default="")
    asked_by = models.TextField(default="", db_default="")
    asked_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    beat_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "rehearsals"
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["queued", "running", "stopping", "done", "failed", "stopped"]),
                name="rehearsal_state_is_known",
            ),
        ]
        indexes = [
            models.Index(fields=["workflow", "-id"], name="rehearsals_of_a_workflow"),
            models.Index(
                fields=["id"], condition=Q(state__in=["queued", "running", "stopping"]), name="rehearsals_under_way"
            ),
        ]
