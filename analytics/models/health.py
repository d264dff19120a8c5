"""What is not as it should be, who was told of it, and when it was last looked for."""

from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.db.models import Q


class AlertWatch(models.Model):
    """A source of alerts: when it was last looked at. Its row is locked by whoever writes down what was seen."""

    name = models.TextField(primary_key=True)
    looked_at = models.DateTimeField(null=True)  # the last claim; whoever claimed may have been lost
    settled_at = models.DateTimeField(null=True)  # the instant of the last look that was written down
    failing_since = models.DateTimeField(null=True)
    problem = models.TextField(default="", db_default="")  # the kind of the error, never its words

    class Meta:
        db_table = "alert_watches"


class Alert(models.Model):
    """Something is not as it should be. At most one row of a key is not closed.

    brewing -- seen since `began_at`, not for long enough: `opened_at` is null; it goes if it is over before that
    open    -- from `opened_at` on; while `gone_since` is set it is not seen, and will close unless it comes back
    closed  -- from `closed_at` on, for ever

    Each opening is told once (and again while it lasts: `told_at` is the last time, `tellings` how often), and so is
    the end of what was told. `silenced_until`: nobody is told before, of this row or the next one of the key."""

    source = models.TextField()
    key = models.TextField()  # the source's name, a colon, and what it is about: queues:urgent:events
    severity = models.TextField()  # warning · critical; it rises, and never falls while the alert is open
    title = models.TextField()  # one line, in words; nothing of a person
    said = models.TextField()  # the figures, as they were last seen; nothing of a person
    page = models.TextField(default="", db_default="", blank=True)  # a path in the admin
    began_at = models.DateTimeField()
    opened_at = models.DateTimeField(null=True, blank=True)
    seen_at = models.DateTimeField()  # the last time
    gone_since = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    told_at = models.DateTimeField(null=True, blank=True)  # by mail and webhook
    tellings = models.IntegerField(default=0, db_default=0)
    end_told_at = models.DateTimeField(null=True, blank=True)
    silenced_until = models.DateTimeField(null=True, blank=True)
    silenced_at = models.DateTimeField(null=True, blank=True)
    silenced_by = models.TextField(default="", db_default="", blank=True)

    class Meta:
        db_table = "alerts"
        constraints = [
            models.UniqueConstraint(fields=["key"], condition=Q(closed_at__isnull=True), name="one_open_alert_per_key"),
            models.CheckConstraint(condition=Q(severity__in=["warning", "critical"]), name="alert_severity_is_known"),
            models.CheckConstraint(
                condition=Q(closed_at__isnull=True) | Q(opened_at__isnull=False), name="closed_alerts_were_open"
            ),
        ]
        indexes = [
            models.Index(fields=["source"], condition=Q(closed_at__isnull=True), name="alerts_not_over"),
            models.Index(fields=["closed_at"], condition=Q(closed_at__isnull=False), name="alerts_that_are_over"),
            models.Index(fields=["key", "id"], name="alerts_of_a_key"),
        ]


class AlertCall(models.Model):
    """A call of ALERT_WEBHOOK_URL that tells of an alert: made outside any transaction, at least once, under the same
    `public_id` each time. Born in the transaction that decided to tell.

    queued · calling (due again at the end of its lease) · answered · failed (given up)"""

    public_id = models.UUIDField(unique=True, editable=False, db_default=RandomUUID())
    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="calls")
    number = models.IntegerField()  # of the telling; -1: of the end
    body = models.TextField()
    state = models.TextField(default="queued", db_default="queued")
    attempts = models.IntegerField(default=0, db_default=0)
    due_at = models.DateTimeField()
    status = models.IntegerField(null=True)
    reason = models.TextField(default="", db_default="")  # one word
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "alert_calls"
        constraints = [
            models.UniqueConstraint(fields=["alert", "number"], name="one_call_per_telling"),
            models.CheckConstraint(
                condition=Q(state__in=["queued", "calling", "answered", "failed"]), name="alert_call_state_is_known"
            ),
        ]
        indexes = [
            models.Index(fields=["due_at"], condition=Q(state__in=["queued", "calling"]), name="alert_calls_due"),
        ]


class FactCursor(models.Model):
    """How far a table of facts was read for its delays: all rows up to this id are in the histograms."""

    name = models.TextField(primary_key=True)  # one of analytics.health.delays_facts.WALKS
    up_to = models.BigIntegerField(default=0, db_default=0)

    class Meta:
        db_table = "fact_cursors"


class ProviderAnswer(models.Model):
    """How often a provider gave an answer on a day (UTC): its own code, or our word where it gave none. Read from the
    send log along with the delays."""

    day = models.DateField()
    provider = models.TextField()
    outcome = models.TextField()  # accepted · rejected · retry · not_started · in_doubt
    code = models.TextField()  # 202 · 429 · timeout · empty
    amount = models.BigIntegerField()

    class Meta:
        db_table = "provider_answers"
        constraints = [
            models.UniqueConstraint(
                fields=["day", "provider", "outcome", "code"], name="one_count_per_provider_answer_and_day"
            ),
        ]
