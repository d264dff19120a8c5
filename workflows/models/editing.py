"""Moving people who are under way from one version to another, with what is needed to take it back."""

from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.db.models import Q


class EditPlan(models.Model):
    """What becomes of those who are under way in older versions: `decisions` maps a step of theirs to
    {"do": "stay" | "move" | "exit", "to": STEP}.

    applying -> applied -> undoing -> undone"""

    public_id = models.UUIDField(unique=True, editable=False, db_default=RandomUUID())
    workflow = models.ForeignKey("workflows.Workflow", on_delete=models.PROTECT, related_name="+", db_index=False)
    to_version = models.ForeignKey(
        "workflows.WorkflowVersion", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    decisions = models.JSONField()
    state = models.TextField(default="applying", db_default="applying")
    moved = models.BigIntegerField(default=0, db_default=0)
    exited = models.BigIntegerField(default=0, db_default=0)
    put_back = models.BigIntegerField(default=0, db_default=0)  # of those moved, when it was undone
    position = models.BigIntegerField(default=0, db_default=0)  # the last contact looked at, or enrolment put back
    made_by = models.TextField(default="", db_default="")
    made_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    undone_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "edit_plans"
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["applying", "applied", "undoing", "undone"]), name="edit_plan_state_is_known"
            ),
            models.UniqueConstraint(
                fields=["workflow"], condition=Q(state__in=["applying", "undoing"]), name="one_edit_plan_at_a_time"
            ),
        ]
        indexes = [models.Index(fields=["workflow", "-id"], name="edit_plans_of_a_workflow")]


class EditMove(models.Model):
    """One enrolment that a plan moved: where it stood, so that it can be put back while it has not gone on."""

    pk = models.CompositePrimaryKey("plan_id", "enrolment_id")
    plan_id = models.BigIntegerField()
    enrolment_id = models.BigIntegerField()
    from_version_id = models.BigIntegerField()
    from_step = models.TextField()
    from_state = models.TextField()
    from_wake_at = models.DateTimeField()
    from_waiting_since = models.DateTimeField(null=True)
    seq = models.IntegerField()  # of the journal row of the move: a later one means that it went on

    class Meta:
        db_table = "edit_moves"
