"""Counters: deltas written in the transaction of the work they count, and the totals folded from them."""

from django.db import models


class CounterDelta(models.Model):
    """+n of something, inserted by the batch that did it, deleted when folded."""

    workflow_id = models.BigIntegerField()
    version_id = models.BigIntegerField()
    step = models.TextField()  # empty: the workflow itself
    metric = models.TextField()  # entered · exited:<reason> · accepted · … (see analytics.counting.counted)
    # empty: all of it; template:<slug> or variant:<experiment>:<variant>: the part of it that was theirs
    facet = models.TextField(default="", db_default="")
    day = models.DateField()
    amount = models.BigIntegerField()

    class Meta:
        db_table = "counter_deltas"


class Counter(models.Model):
    """The folded total. What was counted is `counters + counter_deltas`; the facts rebuild both."""

    workflow_id = models.BigIntegerField()
    version_id = models.BigIntegerField()
    step = models.TextField()
    metric = models.TextField()
    facet = models.TextField(default="", db_default="")
    day = models.DateField()
    amount = models.BigIntegerField()

    class Meta:
        db_table = "counters"
        constraints = [
            models.UniqueConstraint(
                fields=["workflow_id", "version_id", "step", "metric", "facet", "day"],
                name="one_counter_per_step_metric_facet_and_day",
            ),
        ]
        indexes = [
            # what was counted lately, for /metrics: the days before do not change
            models.Index(fields=["day"], condition=models.Q(facet=""), name="counters_of_a_day"),
            # the days that a page asks for beside whole months
            models.Index(fields=["workflow_id", "day"], name="counters_of_a_workflows_days"),
        ]


class CounterMonth(models.Model):
    """The counters of a month together, so that a page reads a few thousand rows of years and not every day of them.
    Folded from the same deltas by the same statement; the facts rebuild it with the counters."""

    workflow_id = models.BigIntegerField()
    version_id = models.BigIntegerField()
    step = models.TextField()
    metric = models.TextField()
    facet = models.TextField(default="", db_default="")
    month = models.DateField()  # its first day; 1970-01-01: who stands where
    amount = models.BigIntegerField()

    class Meta:
        db_table = "counter_months"
        constraints = [
            models.UniqueConstraint(
                fields=["workflow_id", "version_id", "step", "metric", "facet", "month"],
                name="one_counter_per_step_metric_facet_and_month",
            ),
        ]


class CounterDay(models.Model):
    """The counters of a day, of all steps and reasons together: what a chart of days draws. Folded like the months."""

    workflow_id = models.BigIntegerField()
    day = models.DateField()
    version_id = models.BigIntegerField()
    metric = models.TextField()  # without its reason: exited, not exited:goal_achieved
    amount = models.BigIntegerField()

    class Meta:
        db_table = "counter_days"
        constraints = [
            models.UniqueConstraint(
                fields=["workflow_id", "day", "version_id", "metric"], name="one_counter_per_workflow_day_and_metric"
            ),
        ]


class CounterCheck(models.Model):
    """When the counters of a workflow were last compared with the facts, and what was found."""

    workflow_id = models.BigIntegerField(primary_key=True)  # 0: messages that no workflow wanted
    checked_at = models.DateTimeField()
    took_ms = models.IntegerField()  # of the slice that it was part of
    # [{"name", "left": what was counted, "right": what the facts say}], the first hundred
    differences = models.JSONField(default=list, db_default=[])
    wrong = models.IntegerField(default=0, db_default=0)  # how many there are
    # [{"name", "left", "right"}]
    books = models.JSONField(default=list, db_default=[])

    class Meta:
        db_table = "counter_checks"
        indexes = [models.Index(fields=["checked_at"], name="counters_to_check")]


class LatencyDelta(models.Model):
    """How long `count` deeds took, in the transaction that did the last of them; deleted when folded."""

    name = models.TextField()  # event_to_enrolment · event_to_provider · timer · webhook
    lane = models.TextField()
    up_to_ms = models.IntegerField()  # the bucket's upper bound; -1: longer than all bounds
    count = models.BigIntegerField()
    sum_ms = models.BigIntegerField()
    day = models.DateField()

    class Meta:
        db_table = "latency_deltas"


class Latency(models.Model):
    """The folded histogram of a day (UTC). Buckets are not cumulative here."""

    name = models.TextField()
    lane = models.TextField()
    up_to_ms = models.IntegerField()
    count = models.BigIntegerField()
    sum_ms = models.BigIntegerField()
    day = models.DateField()

    class Meta:
        db_table = "latencies"
        constraints = [
            models.UniqueConstraint(fields=["name", "lane", "up_to_ms", "day"], name="one_latency_bucket_a_day"),
        ]
