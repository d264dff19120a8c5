"""What an experiment wants to find out, and what became of everybody in it."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class Experiment(models.Model):
    """The question behind an experiment step of the same name. Made when a version with such a step is published. What
    it asks may be changed until somebody saw what came of it (`looked_at`): a question that is chosen when the answers
    are known is answered by chance as often as one likes.

    `goal` is {"event": TYPE, "where"?: CONDITION}, {"goal": NAME} (of a step) or {"stage": STAGE}, reached within
    `window` after the assignment. Only contacts whose window is over count, so that nobody counts as lost too early."""

    slug = models.TextField(unique=True)
    workflow_id = models.BigIntegerField()
    title = models.TextField(default="", db_default="", blank=True)
    hypothesis = models.TextField(default="", db_default="", blank=True)
    goal = models.JSONField(null=True, blank=True)
    window = models.TextField(default="P7D", db_default="P7D")  # ISO 8601 duration
    base = models.TextField(default="", db_default="", blank=True)  # the variant to beat; empty: the first
    method = models.TextField(default="always_valid", db_default="always_valid")
    alpha = models.FloatField(default=0.05, db_default=0.05)
    power = models.FloatField(default=0.8, db_default=0.8)
    effect = models.FloatField(default=0.2, db_default=0.2)  # relative; the least that is worth finding
    rate = models.FloatField(null=True, blank=True)  # what the base is expected to convert at; null: as seen
    # [{"name": "Unsubscribes", "event": "email_unsubscribed", "limit": 0.02}]: what must not get worse by more
    guardrails = models.JSONField(default=list, db_default=[], blank=True)
    state = models.TextField(default="running", db_default="running")
    decision = models.TextField(default="", db_default="", blank=True)  # the variant that won; empty: none did
    reason = models.TextField(default="", db_default="", blank=True)
    created_at = models.DateTimeField(db_default=Now())
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.TextField(default="", db_default="", blank=True)
    looked_at = models.DateTimeField(null=True, blank=True)  # when outcomes were first shown to somebody
    rolled_out_in = models.IntegerField(null=True, blank=True)  # the version that took the winner's way for everybody
    followed_until = models.DateTimeField(null=True, blank=True)  # the last assignment that has an outcome row

    class Meta:
        db_table = "experiments"
        constraints = [
            models.CheckConstraint(condition=Q(method__in=["sprt", "always_valid"]), name="experiment_method_is_known"),
            models.CheckConstraint(
                condition=Q(state__in=["running", "decided", "stopped"]), name="experiment_state_is_known"
            ),
            models.CheckConstraint(
                condition=Q(alpha__gt=0, alpha__lt=0.5, power__gt=0.5, power__lt=1, effect__gt=0, effect__lt=1),
                name="experiment_rates_are_shares",
            ),
        ]

    def __str__(self) -> str:
        return self.slug


class ExperimentOutcome(models.Model):
    """What became of a contact within the window: derived from assignments and facts, and rebuilt from them at will.
    `settled`: the window was over, and somebody looked."""

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="outcomes")
    contact_id = models.BigIntegerField()
    variant = models.TextField()
    version_id = models.BigIntegerField()  # of the workflow, with the weights of that time
    assigned_at = models.DateTimeField()
    matures_at = models.DateTimeField()
    converted_at = models.DateTimeField(null=True)
    harmed = models.IntegerField(default=0, db_default=0)  # a bit for each guardrail that was struck within the window
    settled = models.BooleanField(default=False, db_default=False)

    class Meta:
        db_table = "experiment_outcomes"
        constraints = [
            models.UniqueConstraint(fields=["experiment", "contact_id"], name="one_outcome_per_experiment_and_contact"),
        ]
        indexes = [
            models.Index(fields=["experiment", "assigned_at", "contact_id"], name="outcomes_in_their_order"),
            models.Index(fields=["experiment", "matures_at"], condition=Q(settled=False), name="outcomes_to_settle"),
            models.Index(fields=["contact_id"], name="outcomes_of_a_contact"),
        ]
