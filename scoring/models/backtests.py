"""A draft tried on recorded history."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from scoring.models.rulesets import Ruleset


class Backtest(models.Model):
    """What a version of the rules would have said of everybody between two instants, against who really converted.

    Worked off in pages of contacts, in the order of their ids: `checked_up_to` is the last one, `contacts_done` counts
    them, `contacts_looked_at` those who did something or converted between the instants, `contacts_cut` those who did
    too much to be looked at after every event. `conversion` is {"event": TYPE, "where"?: CONDITION} or
    {"stage": STAGE}. `judges` is what both versions said when it was asked for (see scoring.backtests.judges): a draft
    may change meanwhile. `result` is made at the end."""

    ruleset = models.ForeignKey(Ruleset, on_delete=models.CASCADE, related_name="backtests")
    against = models.ForeignKey(Ruleset, null=True, on_delete=models.SET_NULL, related_name="+")  # then active
    since = models.DateTimeField()
    until = models.DateTimeField()
    judges = models.JSONField(default=dict, db_default={})
    conversion = models.JSONField()
    threshold = models.FloatField()
    state = models.TextField(default="queued", db_default="queued")
    problem = models.TextField(default="", db_default="", blank=True)
    contacts_total = models.BigIntegerField(default=0, db_default=0)
    contacts_done = models.BigIntegerField(default=0, db_default=0)
    contacts_looked_at = models.BigIntegerField(default=0, db_default=0)
    contacts_cut = models.BigIntegerField(default=0, db_default=0)
    checked_up_to = models.BigIntegerField(default=0, db_default=0)
    result = models.JSONField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    created_by = models.TextField(default="", db_default="", blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "scoring_backtests"
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["queued", "running", "finished", "failed", "cancelled"]),
                name="backtest_state_is_known",
            ),
            models.CheckConstraint(condition=Q(since__lt=models.F("until")), name="backtest_begins_before_it_ends"),
        ]
        indexes = [
            models.Index(fields=["id"], condition=Q(state__in=["queued", "running"]), name="backtests_to_work_off"),
        ]


class BacktestContact(models.Model):
    """A contact who had any points, would have crossed by either version, or converted; `best` is the highest score
    under the version that is tried, before the conversion if there was one."""

    backtest = models.ForeignKey(Backtest, on_delete=models.CASCADE, related_name="contacts")
    contact_id = models.BigIntegerField()
    crossed_at = models.DateTimeField(null=True)
    crossed_at_before = models.DateTimeField(null=True)  # by the rules that were active when it was asked for
    converted_at = models.DateTimeField(null=True)
    best = models.FloatField()

    class Meta:
        db_table = "scoring_backtest_contacts"
        constraints = [
            models.UniqueConstraint(fields=["backtest", "contact_id"], name="one_row_per_backtest_and_contact"),
        ]
        indexes = [models.Index(fields=["contact_id"], name="backtests_of_a_contact")]
