"""Rules as data, lifecycle as a log. A score itself is never stored: it is computed from events when asked."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class Ruleset(models.Model):
    """draft -> active -> retired. One active version of each named score."""

    name = models.SlugField(max_length=60, default="lead")
    version = models.IntegerField()
    state = models.TextField(default="draft", db_default="draft")
    mql_threshold = models.FloatField(default=60, db_default=60)
    created_at = models.DateTimeField(db_default=Now())
    activated_at = models.DateTimeField(null=True, blank=True)
    # After an activation everybody is looked at once more, in the order of their ids: up to whom that has come (null:
    # done), and the number below which a transaction may have begun before the activation (see scoring.recheck).
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
        ]

    def __str__(self) -> str:
        return f"{self.name} v{self.version}"


class ScoringRule(models.Model):
    """`signal` is {"event": TYPE, "where"?: CONDITION} or any condition; points count per event, or once while the
    condition is true; `cap` bounds the sum of this rule's points by its absolute value."""

    ruleset = models.ForeignKey(Ruleset, on_delete=models.CASCADE, related_name="rules")
    name = models.TextField()
    signal = models.JSONField()
    points = models.FloatField()
    decay = models.JSONField(default=dict, blank=True, help_text='{"type": "half_life", "period": "P30D"}')
    cap = models.FloatField(null=True, blank=True)

    class Meta:
        db_table = "scoring_rules"

    def __str__(self) -> str:
        return self.name


class ScoreCheck(models.Model):
    """A contact whose score has to be compared with the threshold at `check_at`: at once after a scoring event, or at
    the computed instant of its next crossing by decay. One row a contact, moved earlier eagerly."""

    contact_id = models.BigIntegerField(primary_key=True)
    check_at = models.DateTimeField()
    lane = models.TextField(default="urgent", db_default="urgent")  # urgent · bulk: nobody waits behind an import

    class Meta:
        db_table = "score_checks"
        constraints = [
            models.CheckConstraint(condition=Q(lane__in=["urgent", "bulk"]), name="score_check_lane_is_known"),
        ]
        indexes = [models.Index(fields=["lane", "check_at"], name="score_checks_due")]


class ScoreSide(models.Model):
    """On which side of a threshold a contact was last seen; `seq` counts the crossings."""

    contact_id = models.BigIntegerField()
    score_name = models.TextField()
    threshold = models.FloatField()
    above = models.BooleanField()
    seq = models.IntegerField()

    class Meta:
        db_table = "score_sides"
        constraints = [
            models.UniqueConstraint(fields=["contact_id", "score_name", "threshold"], name="one_side_per_threshold"),
        ]


class ScoreThreshold(models.Model):
    """Somebody watches a threshold of the lead score (see scoring.thresholds)."""

    owner = models.TextField()
    threshold = models.FloatField()
    declared_at = models.DateTimeField()

    class Meta:
        db_table = "score_thresholds"
        constraints = [
            models.UniqueConstraint(fields=["owner", "threshold"], name="an_owner_watches_a_threshold_once"),
        ]


class ScoreCrossing(models.Model):
    """A crossing of a threshold. Append-only, each exactly once."""

    contact_id = models.BigIntegerField()
    score_name = models.TextField()
    threshold = models.FloatField()
    seq = models.IntegerField()
    upward = models.BooleanField()
    score = models.FloatField()
    ruleset = models.ForeignKey(Ruleset, on_delete=models.PROTECT, related_name="+")
    crossed_at = models.DateTimeField()

    class Meta:
        db_table = "score_crossings"
        constraints = [
            models.UniqueConstraint(
                fields=["contact_id", "score_name", "threshold", "seq"], name="each_crossing_exactly_once"
            ),
        ]


class LifecycleEvent(models.Model):
    """A contact's move from one lifecycle stage to another. Append-only: regression is a new row; the current stage
    is the last row."""

    contact_id = models.BigIntegerField()
    from_stage = models.TextField(default="", db_default="")
    to_stage = models.TextField()
    reason = models.TextField()
    source = models.TextField()  # score · workflow:<slug> · api · admin · import
    occurred_at = models.DateTimeField()

    class Meta:
        db_table = "lifecycle_events"
        indexes = [models.Index(fields=["contact_id", "-id"], name="latest_stage_of_a_contact")]
