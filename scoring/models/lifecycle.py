"""Lifecycle as a log; what moves people along; the words for the stages."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

STAGES = ("subscriber", "lead", "mql", "sql", "opportunity", "customer", "churned")


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
        indexes = [models.Index(fields=["contact_id", "-id"], name="latest_stage_of_a_contact")]


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
        ]

    def __str__(self) -> str:
        return self.name


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
