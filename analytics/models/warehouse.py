"""Runs of the warehouse, and reports that come by mail."""

from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class WarehouseRun(models.Model):
    """One run of dbt: asked for by the night (once for each, whoever asks) or by somebody; one at a time."""

    kind = models.TextField()  # nightly · by_hand · full_refresh
    night = models.DateField(null=True, blank=True)  # of a nightly run
    state = models.TextField(default="queued", db_default="queued")
    requested_at = models.DateTimeField()
    requested_by = models.TextField(default="", db_default="", blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    alive_at = models.DateTimeField(null=True, blank=True)  # its process says so every few seconds
    finished_at = models.DateTimeField(null=True, blank=True)
    attempts = models.SmallIntegerField(default=0, db_default=0)  # a run whose process died is taken up again
    models_total = models.IntegerField(default=0, db_default=0)  # models and tests
    models_done = models.IntegerField(default=0, db_default=0)
    said = models.TextField(default="", db_default="", blank=True)  # the last line of progress
    problem = models.TextField(default="", db_default="", blank=True)
    # [{"kind": model · test · source, "model", "state", "rows", "seconds"}] in the order in which they ended
    results = models.JSONField(default=list, db_default=[], blank=True)
    rules = models.TextField(default="", db_default="", blank=True)  # what the settings called revenue, touch and stage

    class Meta:
        db_table = "warehouse_runs"
        constraints = [
            models.UniqueConstraint(fields=["night"], condition=Q(kind="nightly"), name="one_warehouse_run_a_night"),
            models.UniqueConstraint(
                models.Value(1), condition=Q(state__in=["queued", "running"]), name="one_warehouse_run_at_a_time"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=["nightly", "by_hand", "full_refresh"]), name="warehouse_run_kind_is_known"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["queued", "running", "finished", "failed"]), name="warehouse_run_state_is_known"
            ),
        ]


class ReportSubscription(models.Model):
    """A report that somebody who works here gets by mail. `next_at` is the instant that is owed: its mail is made once
    (its key names the instant), tried from `try_at` on. Times are those of clocks in `timezone`."""

    public_id = models.UUIDField(unique=True, editable=False, db_default=RandomUUID())  # stands in its mails
    report = models.TextField()  # its name in analytics.reports
    filters = models.JSONField(default=dict, db_default={}, blank=True)
    email = models.TextField()
    every = models.TextField()  # day · week · month
    on_day = models.SmallIntegerField(default=1, db_default=1)  # of the week (1: Monday) or of the month
    at_hour = models.SmallIntegerField(default=8, db_default=8)
    timezone = models.TextField(default="UTC", db_default="UTC")
    next_at = models.DateTimeField()
    try_at = models.DateTimeField()
    attempts = models.SmallIntegerField(default=0, db_default=0)  # that failed, of what is owed
    problem = models.TextField(default="", db_default="", blank=True)  # why the last attempt failed
    failed_at = models.DateTimeField(null=True, blank=True)
    last_sent_at = models.DateTimeField(null=True, blank=True)
    last_notice = models.TextField(default="", db_default="", blank=True)  # the key of its last mail
    is_active = models.BooleanField(default=True, db_default=True)
    stopped_because = models.TextField(default="", db_default="", blank=True)
    created_at = models.DateTimeField(db_default=Now())
    created_by = models.TextField(default="", db_default="", blank=True)

    class Meta:
        db_table = "report_subscriptions"
        constraints = [
            models.CheckConstraint(condition=Q(every__in=["day", "week", "month"]), name="report_rhythm_is_known"),
            models.CheckConstraint(condition=Q(at_hour__gte=0, at_hour__lte=23), name="report_hour_is_of_a_day"),
            models.CheckConstraint(condition=Q(on_day__gte=1, on_day__lte=28), name="report_day_is_in_every_month"),
        ]
        indexes = [models.Index(fields=["try_at"], condition=Q(is_active=True), name="reports_to_send")]
