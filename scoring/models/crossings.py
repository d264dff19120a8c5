"""Who is looked at when, on which side of a threshold they stand, and each crossing."""

from django.db import models

from scoring.models.rulesets import Ruleset


class ScoreCheck(models.Model):
    """A contact whose score has to be compared with the threshold at `check_at`: at once after a scoring event, or at
    the computed instant of its next crossing by decay. One row a contact, moved earlier eagerly."""

    contact_id = models.BigIntegerField(primary_key=True)
    check_at = models.DateTimeField()
    lane = models.TextField(default="urgent", db_default="urgent")  # urgent · bulk: nobody waits behind an import

    class Meta:
        db_table = "score_checks"
        constraints = [
            models.CheckConstraint(condition=models.Q(lane__in=["urgent", "bulk"]), name="score_check_lane_is_known"),
        ]
        indexes = [models.Index(fields=["lane", "check_at"], name="score_checks_due")]


class ScoreSide(models.Model):
    """On which side of a threshold a contact was last seen; `seq` counts the crossings, `turned_at` is the instant of
    the last one, `ruleset_id` the version whose activation the side has taken note of (null: before there was any)."""

    contact_id = models.BigIntegerField()
    score_name = models.TextField()
    threshold = models.FloatField()
    above = models.BooleanField()
    seq = models.IntegerField()
    turned_at = models.DateTimeField(null=True)
    ruleset_id = models.BigIntegerField(null=True)

    class Meta:
        db_table = "score_sides"
        constraints = [
            models.UniqueConstraint(fields=["contact_id", "score_name", "threshold"], name="one_side_per_threshold"),
        ]


class ScoreThreshold(models.Model):
    """Somebody watches a threshold of a score (see scoring.crossings.thresholds)."""

    owner = models.TextField()
    score_name = models.TextField(default="lead", db_default="lead")
    threshold = models.FloatField()
    declared_at = models.DateTimeField()

    class Meta:
        db_table = "score_thresholds"
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "score_name", "threshold"], name="an_owner_watches_a_threshold_once"
            ),
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
