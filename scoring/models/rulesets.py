"""Rules as data, in versions."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class Ruleset(models.Model):
    """draft -> active -> retired. One active version of each named score. A version that was active is never changed:
    who edits it edits a draft that was made from it."""

    name = models.SlugField(max_length=60, default="lead")
    version = models.IntegerField()
    state = models.TextField(default="draft", db_default="draft")
    title = models.TextField(default="", db_default="", blank=True)  # for people: "B2B fit and intent"
    mql_threshold = models.FloatField(default=60, db_default=60)
    # The sum of everything is bounded by its absolute value (null: not at all).
    cap = models.FloatField(null=True, blank=True)
    groups = models.JSONField(default=list, db_default=[], blank=True)  # [{"name": "Email", "cap": 20}]
    # A combined score adds others, each times its weight: {"fit": 1, "engagement": 0.5}.
    parts = models.JSONField(default=dict, db_default={}, blank=True)
    # Who is above falls below at threshold * (1 - hysteresis); and after a turn, the next is not before this time.
    hysteresis = models.FloatField(default=0.1, db_default=0.1)
    rearm_after = models.TextField(default="", db_default="", blank=True)  # ISO 8601 duration; empty: at once
    # What an activation says of those whom the new rules put on another side: that they crossed (emit), or nothing
    # (rebase: they stand where the new rules put them, and cross from there).
    on_activation = models.TextField(default="emit", db_default="emit")
    based_on = models.IntegerField(null=True, blank=True)  # the version that a draft was made from
    edits = models.IntegerField(default=0, db_default=0)  # how often a draft was saved: two who edit it see each other
    created_at = models.DateTimeField(db_default=Now())
    created_by = models.TextField(default="", db_default="", blank=True)
    activated_at = models.DateTimeField(null=True, blank=True)
    activated_by = models.TextField(default="", db_default="", blank=True)
    # After an activation everybody is looked at once more, in the order of their ids: up to whom that has come (null:
    # done), and the number below which a transaction may have begun before it (see scoring.crossings.recheck).
    activated_xid = models.BigIntegerField(null=True, editable=False)
    recheck_after = models.BigIntegerField(null=True, editable=False)

    class Meta:
        db_table = "scoring_rulesets"
        constraints = [
            models.UniqueConstraint(fields=["name", "version"], name="one_ruleset_per_name_and_version"),
            models.UniqueConstraint(fields=["name"], condition=Q(state="active"), name="one_active_ruleset_per_name"),
            models.CheckConstraint(
                condition=Q(state__in=["draft", "active", "retired"]), name="ruleset_state_is_known"
            ),
            models.CheckConstraint(
                condition=Q(on_activation__in=["emit", "rebase"]), name="ruleset_activation_is_known"
            ),
            models.CheckConstraint(
                condition=Q(hysteresis__gte=0) & Q(hysteresis__lt=1), name="ruleset_hysteresis_is_a_share"
            ),
            models.CheckConstraint(condition=Q(cap__isnull=True) | Q(cap__gt=0), name="ruleset_cap_is_above_zero"),
        ]

    def __str__(self) -> str:
        return f"{self.name} v{self.version}"


class ScoringRule(models.Model):
    """`signal` is {"event": TYPE, "where"?: CONDITION, "within"?: "P30D"} or any condition; points count per event, or
    once while the condition is true; `cap` bounds the sum of this rule's points by its absolute value.

    `repeat` says how often events count: {} (every one), {"policy": "once"} (the newest), or {"policy": "once_per",
    "period": "P1D"} (the newest of each period)."""

    ruleset = models.ForeignKey(Ruleset, on_delete=models.CASCADE, related_name="rules")
    name = models.TextField()
    signal = models.JSONField()
    points = models.FloatField()
    decay = models.JSONField(default=dict, blank=True, help_text='{"type": "half_life", "period": "P30D"}')
    cap = models.FloatField(null=True, blank=True)
    group = models.TextField(default="", db_default="", blank=True)  # the name of one of the ruleset's groups
    repeat = models.JSONField(default=dict, db_default={}, blank=True)
    human_only = models.BooleanField(default=True, db_default=True)  # opens and clicks of machines do not count

    class Meta:
        db_table = "scoring_rules"

    def __str__(self) -> str:
        return self.name
