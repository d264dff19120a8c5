"""Enrolments that failed, until somebody decides what becomes of them."""

from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.db.models import Q


class DeadLetter(models.Model):
    """An enrolment that failed at a step as often as it may be tried. `trace` names files, lines and kinds of errors;
    it holds no values, which may be personal data.

    open -> retried | skipped | exited"""

    public_id = models.UUIDField(unique=True, editable=False, db_default=RandomUUID())
    enrolment_id = models.BigIntegerField()
    workflow_id = models.BigIntegerField()
    version_id = models.BigIntegerField()
    contact_id = models.BigIntegerField()
    step = models.TextField()
    seq = models.IntegerField()  # of the journal row that says it failed
    category = models.TextField()  # transient · permanent
    error = models.TextField()  # the kind of the exception
    trace = models.TextField(default="", db_default="")
    attempts = models.SmallIntegerField()
    failed_at = models.DateTimeField()
    state = models.TextField(default="open", db_default="open")
    resolved_at = models.DateTimeField(null=True)
    resolved_by = models.TextField(default="", db_default="")

    class Meta:
        db_table = "dead_letters"
        constraints = [
            models.UniqueConstraint(fields=["enrolment_id", "seq"], name="one_dead_letter_per_failure"),
            models.CheckConstraint(
                condition=Q(state__in=["open", "retried", "skipped", "exited"]), name="dead_letter_state_is_known"
            ),
            models.CheckConstraint(
                condition=Q(state="open", resolved_at=None) | (~Q(state="open") & Q(resolved_at__isnull=False)),
                name="resolved_dead_letters_say_when",
            ),
        ]
        indexes = [
            models.Index(fields=["workflow_id", "step", "id"], condition=Q(state="open"), name="dead_letters_open"),
            models.Index(fields=["contact_id"], name="dead_letters_of_a_contact"),
        ]


class EnrolmentBrake(models.Model):
    """A workflow that more people wanted to enter at once than its history explains: they wait as `pending` until
    somebody releases it. Nobody is lost, and nobody is written to by mistake."""

    workflow = models.OneToOneField("workflows.Workflow", on_delete=models.CASCADE, primary_key=True, related_name="+")
    braked_at = models.DateTimeField()
    rate = models.FloatField()  # enrolments in the hour before
    usual = models.FloatField()  # enrolments in the busiest hour of its history
    released_at = models.DateTimeField(null=True)  # null: it holds
    released_by = models.TextField(default="", db_default="")

    class Meta:
        db_table = "enrolment_brakes"


class EntryTally(models.Model):
    """How many entered a workflow, for the brake. A batch of enrolments inserts a row of its own; the brake folds them
    into one for each five minutes. Entries that a person confirmed with a count are not in it."""

    id = models.BigAutoField(primary_key=True)
    workflow_id = models.BigIntegerField()
    at = models.DateTimeField()
    amount = models.IntegerField()
    folded = models.BooleanField(default=False, db_default=False)

    class Meta:
        db_table = "entry_tallies"
        constraints = [
            models.UniqueConstraint(
                fields=["workflow_id", "at"], condition=Q(folded=True), name="one_folded_tally_per_workflow_and_time"
            ),
        ]
        indexes = [models.Index(fields=["id"], condition=Q(folded=False), name="entry_tallies_to_fold")]
