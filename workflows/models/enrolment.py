"""One contact's way through one version of a workflow, and the journal of it."""

from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.db.models import Q

UNFINISHED = ("pending", "active", "waiting")
FINISHED = ("completed", "exited", "failed")


class Enrolment(models.Model):
    """Narrow and mutable: where a contact stands. What they did is in the journal.

    pending   -- wants in, and is admitted when there is a place (`concurrency_cap`, the brake)
    active    -- pending -> active: the engine should advance it once `wake_at` has come
    waiting   -- active -> waiting: stands at a wait step until `wake_at`; waiting -> active is stored for capped ones
                 alone (`admission`), else the engine resumes and advances in one transaction
    completed -- active -> completed: came to an end of the workflow
    exited    -- any unfinished -> exited, with `exit_reason`
    failed    -- active -> failed: a step raised for this contact alone, as often as it may be tried

    `waiting_since` is set from the arrival at a wait until the step is left: who has it, and is claimed, resumes.
    `held` keeps a due row from the engine: it waits for admission (capped), or its workflow is paused.
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
    held = models.BooleanField(default=False, db_default=False)
    capped = models.BooleanField(default=False, db_default=False)  # its version has a concurrency cap
    attempts = models.SmallIntegerField(default=0, db_default=0)  # failed tries of the step it stands at
    waiting_since = models.DateTimeField(null=True)
    entered_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    exit_reason = models.TextField(default="", db_default="")
    entry_event_id = models.BigIntegerField(null=True)
    trigger = models.JSONField(default=dict, db_default={})  # the entry event, for `trigger.*`
    snapshot = models.JSONField(null=True)  # the attributes at entry, where the version asks for them

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
                fields=["lane", "wake_at"],
                condition=Q(state__in=["active", "waiting"], held=False),
                name="enrolments_to_advance",
            ),
            # admission: who wants in, urgent ones first; who wants to go on; how many places are taken
            models.Index(
                fields=["workflow", "-lane", "version", "id"], condition=Q(state="pending"), name="enrolments_to_admit"
            ),
            models.Index(
                fields=["workflow", "-lane", "wake_at"],
                condition=Q(held=True, capped=True, state="waiting"),
                name="enrolments_held",
            ),
            # what the claim laid aside while its workflow was paused
            models.Index(
                fields=["workflow", "lane", "wake_at"],
                condition=Q(held=True) & (Q(capped=False) | Q(state="active")),
                name="enrolments_parked",
            ),
            models.Index(fields=["workflow"], condition=Q(state="active", capped=True), name="places_taken"),
            models.Index(fields=["contact_id", "workflow"], name="enrolments_of_a_contact"),
            # the list of a journey's people, newest first
            models.Index(fields=["workflow", "-id"], name="enrolments_of_a_workflow"),
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
