"""What the unfinished enrolments of a version wait for: which facts may end a wait or the whole journey."""

from django.db import models
from django.db.models import Q


class Watch(models.Model):
    """A wait step, or the exits of a version (step empty), look again when something of this kind happens to a contact.
    Written when the version is published; rows of a version go when nobody is under way in it and it is not live.

    `about`: a word of `contacts.conditions.reading` (`event:<type>`, `attribute`, `tag`, `segment:<slug>`, …)."""

    id = models.BigAutoField(primary_key=True)
    version = models.ForeignKey("workflows.WorkflowVersion", on_delete=models.PROTECT, related_name="+", db_index=False)
    step = models.TextField(default="", db_default="")
    about = models.TextField()

    class Meta:
        db_table = "version_watches"
        constraints = [
            models.UniqueConstraint(fields=["about", "version", "step"], name="one_watch_per_about_version_and_step"),
        ]
        indexes = [models.Index(fields=["version"], name="watches_of_a_version")]


class WatchCheck(models.Model):
    """A contact whose waits and exits must be looked at: written in the transaction of what happened to them, or of
    their enrolment, and taken away in the transaction that looks. Not unique: a row that somebody is working on does
    not stand for what happens meanwhile."""

    id = models.BigAutoField(primary_key=True)
    contact_id = models.BigIntegerField()
    lane = models.TextField()
    due_at = models.DateTimeField()

    class Meta:
        db_table = "watch_checks"
        indexes = [models.Index(fields=["lane", "due_at", "id"], name="watch_checks_due")]


class ExitSweep(models.Model):
    """A version whose exits time alone may bring about ("inactive for 30 days"): everybody in it is looked at again,
    slice by slice, beginning at `next_at`. `position`: the last contact that was looked at in this round."""

    version = models.OneToOneField(
        "workflows.WorkflowVersion", on_delete=models.PROTECT, primary_key=True, related_name="+"
    )
    next_at = models.DateTimeField()
    position = models.BigIntegerField(default=0, db_default=0)

    class Meta:
        db_table = "exit_sweeps"
        constraints = [models.CheckConstraint(condition=Q(position__gte=0), name="exit_sweep_goes_forward")]
        indexes = [models.Index(fields=["next_at"], name="exit_sweeps_due")]
