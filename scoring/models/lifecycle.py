"""Lifecycle as a log; what moves people along; the words for the stages."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

STAGES = ("subscriber", "lead", "mql", "sql", "opportunity", "customer", "churned")
NO_STAGE = ""  # who never had one


class LifecycleEvent(models.Model):
    """A contact's move from one lifecycle stage to another. Append-only: regression is a new row; the current stage
    is the last row."""

    contact_id = models.BigIntegerField()
    from_stage = models.TextField(default="", db_default="")
    to_stage = models.TextField()
    reason = models.TextField()
    source = models.TextField()  # rule:<key> · workflow:<slug> · api · admin · import · merge
    actor = models.TextField(default="", db_default="")  # who did it by hand: a user's or a key's name
    occurred_at = models.DateTimeField()

    class Meta:
        db_table = "lifecycle_events"
        indexes = [
            models.Index(fields=["contact_id", "-id"], include=["to_stage", "occurred_at"], name="moves_of_a_contact"),
            models.Index(fields=["occurred_at"], name="lifecycle_moves_of_a_period"),
        ]


class CurrentStage(models.Model):
    """Where a contact is: the last row of the log, kept by triggers on it in the transaction that writes it. Derived,
    so that everybody of a stage is found and counted without reading the log; see scoring.lifecycle.current."""

    contact_id = models.BigIntegerField(primary_key=True)
    stage = models.TextField()
    since = models.DateTimeField()
    event_id = models.BigIntegerField()  # the row of the log

    class Meta:
        db_table = "lifecycle_current"
        indexes = [models.Index(fields=["stage", "since", "contact_id"], name="contacts_of_a_stage")]


class ProgressionRule(models.Model):
    """What moves people to a stage by itself.

    `cause` is {"score": NAME, "threshold": NUMBER | null} (an upward crossing; null: the ruleset's own threshold) or
    {"event": TYPE, "where"?: CONDITION}. Only those whose stage is in `from_stages` move ("": who never had one).
    A row whose key is that of a built-in rule stands in its place (see scoring.lifecycle.progression)."""

    key = models.SlugField(max_length=60, unique=True)
    name = models.TextField()
    cause = models.JSONField()
    from_stages = models.JSONField()
    to_stage = models.TextField()
    is_active = models.BooleanField(default=True, db_default=True)
    position = models.IntegerField(default=0, db_default=0)  # the lowest that fits decides
    created_at = models.DateTimeField(db_default=Now())
    changed_by = models.TextField(default="", db_default="", blank=True)

    class Meta:
        db_table = "lifecycle_progression_rules"
        constraints = [
            models.CheckConstraint(condition=Q(to_stage__in=STAGES), name="progression_leads_to_a_known_stage"),
            models.CheckConstraint(
                condition=~Q(cause__contains={"event": "lifecycle_changed"}), name="no_progression_goes_round"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ProgressionRun(models.Model):
    """A rule that is applied to those whose cause came before it, page by page (see scoring.lifecycle.catching_up):
    one row a rule, the last time that somebody asked for it."""

    rule_key = models.TextField(primary_key=True)
    checked_up_to = models.BigIntegerField(default=0)  # the last contact of the last page
    moved = models.BigIntegerField(default=0)
    asked_by = models.TextField()
    asked_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "lifecycle_progression_runs"


class StageLabel(models.Model):
    """What a company calls a stage; who has no row is called as we call it."""

    stage = models.TextField(primary_key=True)
    label = models.TextField()

    class Meta:
        db_table = "lifecycle_stage_labels"
        constraints = [
            models.CheckConstraint(condition=Q(stage__in=STAGES), name="labelled_stage_is_known"),
            models.CheckConstraint(condition=~Q(label=""), name="stage_label_is_not_empty"),
        ]
