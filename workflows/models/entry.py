"""Entries that no event of the log brings about: whole audiences, dates, schedules, and steps that send people on."""

from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.db.models import Q

RUN_KINDS = ("existing", "schedule", "manual", "api")


class EntryRun(models.Model):
    """Many contacts are brought into one version, a slice at a time on the bulk lane. `position` is the last contact
    that was looked at: it moves in the transaction that enrols the slice.

    running -> done | stopped"""

    public_id = models.UUIDField(unique=True, editable=False, db_default=RandomUUID())
    workflow = models.ForeignKey("workflows.Workflow", on_delete=models.PROTECT, related_name="+", db_index=False)
    version = models.ForeignKey("workflows.WorkflowVersion", on_delete=models.PROTECT, related_name="+", db_index=False)
    kind = models.TextField()  # existing · schedule · manual · api
    audience = models.JSONField(null=True)  # a condition; null: everybody whom the version's audience lets in
    properties = models.JSONField(default=dict, db_default={})  # become `trigger.*` of everybody who enters
    scheduled_for = models.DateTimeField(null=True)  # the occurrence of a schedule
    expected = models.BigIntegerField(null=True)  # how many were counted before it began
    position = models.BigIntegerField(default=0, db_default=0)
    up_to = models.BigIntegerField()  # the last contact that there was when it began
    looked_at = models.BigIntegerField(default=0, db_default=0)
    entered = models.BigIntegerField(default=0, db_default=0)
    refused = models.BigIntegerField(default=0, db_default=0)
    state = models.TextField(default="running", db_default="running")
    started_by = models.TextField(default="", db_default="")
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "entry_runs"
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=RUN_KINDS), name="entry_run_kind_is_known"),
            models.CheckConstraint(
                condition=Q(state__in=["running", "done", "stopped"]), name="entry_run_state_is_known"
            ),
            models.UniqueConstraint(
                fields=["workflow", "scheduled_for"],
                condition=Q(kind="schedule"),
                name="one_entry_run_per_occurrence",
            ),
        ]
        indexes = [models.Index(fields=["id"], condition=Q(state="running"), name="entry_runs_to_go_on")]


class EntryRequest(models.Model):
    """Somebody should enter a workflow's live version: the step `enter_workflow` asks for it in the engine's
    transaction, and intake's SERIALIZABLE one takes the row away and decides."""

    id = models.BigAutoField(primary_key=True)
    workflow_id = models.BigIntegerField()
    contact_id = models.BigIntegerField()
    lane = models.TextField()
    trigger = models.JSONField()  # becomes `trigger.*`; `via`: the slugs of the journeys that led here
    requested_at = models.DateTimeField()

    class Meta:
        db_table = "entry_requests"
        indexes = [models.Index(fields=["lane", "id"], name="entry_requests_to_take")]


class TriggerSchedule(models.Model):
    """When a workflow that starts by the calendar is to be looked at next. Any process may see it due; a
    compare-and-set lets one of them do it.

    `schedule`: at `next_at` a run begins. `date`: at `next_at` all contacts are looked through for dates that fall due
    soon; `position` is the last one looked at in this round, `round_to` how far it looks ahead, and every date that
    falls due up to `seen_to` is written down."""

    workflow = models.OneToOneField("workflows.Workflow", on_delete=models.CASCADE, primary_key=True, related_name="+")
    version = models.ForeignKey("workflows.WorkflowVersion", on_delete=models.PROTECT, related_name="+", db_index=False)
    kind = models.TextField()  # schedule · date
    next_at = models.DateTimeField(null=True)  # null: it has no further occurrence
    position = models.BigIntegerField(default=0, db_default=0)
    round_to = models.DateTimeField(null=True)
    seen_to = models.DateTimeField(null=True)

    class Meta:
        db_table = "trigger_schedules"
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=["schedule", "date"]), name="trigger_schedule_kind_is_known"),
        ]
        indexes = [models.Index(fields=["next_at"], name="trigger_schedules_due")]


class DateEntry(models.Model):
    """A contact's date in an attribute will start a workflow at `due_at`, or did. The occasion is the date itself, so
    that one date starts it once, and a changed one anew."""

    id = models.BigAutoField(primary_key=True)
    workflow_id = models.BigIntegerField()
    contact_id = models.BigIntegerField()
    occasion = models.TextField()  # the date in the attribute (that of the year, where it returns), or its instant
    due_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "date_entries"
        constraints = [
            models.UniqueConstraint(
                fields=["workflow_id", "contact_id", "occasion"], name="one_date_entry_per_workflow_contact_and_date"
            ),
        ]
        indexes = [models.Index(fields=["due_at"], condition=Q(done_at=None), name="date_entries_due")]
