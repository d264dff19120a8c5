"""One contact's way through one version of a workflow, and the journal of it."""

from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.db.models import Q

UNFINISHED = ("pending", "active", "waiting")
FINISHED = ("completed", "exited", "failed")


class Enrolment(models.Model):
    """Narrow and mutable: where a contact stands. What they did is in the journal.

    pending   -- wants in; kept for workflows that admit a limited number at once, which no definition can ask for yet
    active    -- pending -> active: the engine should advance it once `wake_at` has come
    waiting   -- active -> waiting: stands at a wait step until `wake_at`; waiting -> active is not stored, the engine
                 resumes and advances in one transaction
    completed -- active -> completed: came to an end of the workflow
    exited    -- any unfinished -> exited, with `exit_reason`
    failed    -- active -> failed: a step raised for this contact alone
    """

    public_id = models.UUIDField(unique=True, editable=False, db_default=RandomUUID())
    workflow = models.ForeignKey("workflows.Workflow", on_delete=models.PROTECT, related_name="+", db_index=False)
    version = models.ForeignKey("workflows.WorkflowVersion", on_delete=models.PROTECT, related_name="+", db_index=False)
    contact_id = models.BigIntegerField()
    entry_key = models.TextField(default="", db_default="")
    once = models.BooleanField(default=False, db_default=False)  # re-entry "never": this row bars every later one
    lane = models.TextField()
    state = models.TextField()
    step = models.TextField()  # where it stands, or where it stood when it finished
    seq = models.IntegerField(default=0, db_default=0)  # number of journal rows so far
    wake_at = models.DateTimeField()  # due from then on: an active one since it entered or woke, a waiting one later
    waiting_since = models.DateTimeField(null=True)
    entered_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    exit_reason = models.TextField(default="", db_default="")
    entry_event_id = models.BigIntegerField(null=True)
    trigger = models.JSONField(default=dict, db_default={})  # the entry event, for `trigger.*`

    class Meta:
        db_table = "workflow_enrolments"
        constraints = [
            models.UniqueConstraint(
                fields=["workflow", "contact_id", "entry_key"],
                condition=Q(state__in=UNFINISHED),
                name="one_active_enrolment_per_contact_workflow_and_key",
            ),
            models.UniqueConstraint(
                fields=["workflow", "contact_id", "entry_key"],
                condition=Q(once=True),
                name="one_enrolment_ever_per_contact_workflow_and_key",
            ),
            models.CheckConstraint(condition=Q(state__in=[*UNFINISHED, *FINISHED]), name="enrolment_state_is_known"),
            models.CheckConstraint(
                condition=(Q(state__in=UNFINISHED) & Q(finished_at=None))
                | (Q(state__in=FINISHED) & Q(finished_at__isnull=False)),
                name="finished_enrolments_say_when",
            ),
            models.CheckConstraint(condition=~Q(state="exited") | ~Q(exit_reason=""), name="exited_enrolments_say_why"),
        ]
        indexes = [
            # the engine's claim: due enrolments of a lane, oldest first
            models.Index(
                fields=["lane", "wake_at"], condition=Q(state__in=["active", "waiting"]), name="enrolments_due"
            ),
            models.Index(fields=["workflow", "id"], condition=Q(state="pending"), name="enrolments_to_admit"),
            models.Index(fields=["contact_id", "workflow"], name="enrolments_of_a_contact"),
        ]


class JournalEntry(models.Model):
    """What an enrolment did at one step. Append-only, range-partitioned by `enrolment_id` (migration 0002), so that
    (enrolment_id, seq) is unique over all partitions: no step twice."""

    pk = models.CompositePrimaryKey("enrolment_id", "seq")
    enrolment_id = models.BigIntegerField()
    seq = models.IntegerField()
    contact_id = models.BigIntegerField()
    version_id = models.BigIntegerField()
    step = models.TextField()
    step_type = models.TextField()
    outcome = models.TextField()  # advanced · waiting · left · failed
    port = models.TextField()
    detail = models.JSONField()  # what was read and decided
    at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "workflow_journal"
        verbose_name = "journal entry"
