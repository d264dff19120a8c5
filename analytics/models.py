"""Counters: deltas written in the transaction of the work they count, and the totals folded from them."""

from django.db import models


class CounterDelta(models.Model):
    """+n of something, inserted by the batch that did it, deleted when folded."""

    workflow_id = models.BigIntegerField()
    version_id = models.BigIntegerField()
    step = models.TextField()  # empty: the workflow itself
    metric = models.TextField()  # entered · exited:<reason> · accepted · capped:<reason> · … (see analytics.counted)
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
    day = models.DateField()
    amount = models.BigIntegerField()

    class Meta:
        db_table = "counters"
        constraints = [
            models.UniqueConstraint(
                fields=["workflow_id", "version_id", "step", "metric", "day"],
                name="one_counter_per_step_metric_and_day",
            ),
        ]
