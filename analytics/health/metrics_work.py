"""The metrics of the work: what waits, how long things take, and what became of everything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import redis
from django.db import connection
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.utils import floatToGoString

from analytics.counting.counted import NO_DAY
from analytics.health import delays, queues
from contacts import redis_index
from delivery import figures
from delivery.webhooks import vocabulary
from workflows.models.enrolment import FINISHED, UNFINISHED

OUTCOMES = (
    "queued", "accepted", "rejected", "in_doubt", "undetermined", "suppressed", "capped", "cancelled", "replayed",
)  # fmt: skip
ENROLMENTS = ("entered", *FINISHED, "refused")
FEEDBACK = (
    vocabulary.DELIVERED, vocabulary.DEFERRED, vocabulary.SOFT_BOUNCE, vocabulary.HARD_BOUNCE, vocabulary.COMPLAINED,
    vocabulary.UNSUBSCRIBED, vocabulary.OPENED, vocabulary.CLICKED,
)  # fmt: skip
HISTOGRAMS = {
    delays.EVENT_TO_ENROLMENT: (
        "carillon_event_to_enrolment_seconds",
        "From the record of an event to the enrolment that it caused; told a minute later.",
    ),
    delays.EVENT_TO_PROVIDER: (
        "carillon_event_to_provider_seconds",
        "From the record of an event to the acceptance of what was sent for it at once; told a minute later.",
    ),
    delays.TIMER: ("carillon_timer_lateness_seconds", "From the wake time of a wait to the claim that ended it."),
    delays.WEBHOOK: (
        "carillon_webhook_lag_seconds",
        "From the storing of a provider's report to its folding; told a minute later.",
    ),
}
RATED_DAYS = 7
REMEMBERED_SECONDS = 600

_COUNTED = """
    SELECT step = '', split_part(metric, ':', 1) AS name, sum(amount)::bigint
      FROM ({rows}) AS counted
     WHERE (step = '' AND split_part(metric, ':', 1) = ANY(%(enrolments)s))
        OR (step <> '' AND metric = ANY(%(states)s))
        OR split_part(metric, ':', 1) = ANY(%(messages)s)
     GROUP BY 1, 2
"""
_BEFORE = _COUNTED.format(
    rows="SELECT step, metric, amount FROM counters WHERE facet = '' AND day < %(recent)s AND day <> %(no_day)s"
)
_LATELY = _COUNTED.format(
    rows="SELECT step, metric, amount FROM counters WHERE facet = '' AND (day >= %(recent)s OR day = %(no_day)s)"
    " UNION ALL SELECT step, metric, amount FROM counter_deltas WHERE facet = ''"
)


def read(now: datetime) -> Iterator[Metric]:
    """Five statements, six where nobody asked for ten minutes."""
    yield from _queues(now)
    counted = _counted(now)
    yield from _enrolments(counted)
    yield from _messages(counted, now)
    yield from _answers()
    yield from _delays()


def _queues(now: datetime) -> Iterator[Metric]:
    labels = ["queue", "lane"]
    depth = GaugeMetricFamily(
        "carillon_queue_depth", f"What could be worked on now; counted up to {queues.COUNTED:,}.", labels=labels
    )
    age = GaugeMetricFamily(
        "carillon_queue_oldest_age_seconds",
        "How long the oldest of a queue has waited; 0 if it is empty.",
        labels=labels,
    )
    late = GaugeMetricFamily(
        "carillon_queue_late", "Whether the oldest of a queue has waited for too long.", labels=labels
    )
    dead = GaugeMetricFamily("carillon_dead_letters", "Failed enrolments that nobody has decided yet.")
    for queue in queues.read(now=now):
        depth.add_metric([queue.name, queue.lane], queue.depth)
        late.add_metric([queue.name, queue.lane], queue.late)
        if queue.age is not None or queue.name != "counters":
            age.add_metric([queue.name, queue.lane], queue.age or 0.0)
        if queue.name == "failed":
            dead.add_metric([], queue.depth)
    yield from (depth, age, late, dead)


# -- what became of everything -----------------------------------------------------------------------------------------


class _Counted:
    """Sums of the counters: `of_enrolments`, who entered and where they are, and `of_messages`."""

    def __init__(self, rows: list[tuple[bool, str, int]]) -> None:
        self.of_enrolments: dict[str, int] = {}
        self.of_messages: dict[str, int] = {}
        for is_whole, name, amount in rows:
            # a message that no workflow wanted stands under no step, like a workflow itself
            is_enrolment = (is_whole and name in ENROLMENTS) or name in UNFINISHED
            sums = self.of_enrolments if is_enrolment else self.of_messages
            sums[name] = sums.get(name, 0) + amount


def _counted(now: datetime) -> _Counted:
    """All days but the last two change no more, and are summed once in ten minutes. Where enrolments stand has no day
    and is always read."""
    recent = now.astimezone(UTC).date() - timedelta(days=1)
    return _Counted(_before(recent) + _sums(_LATELY, recent))


def _before(recent: date) -> list[tuple[bool, str, int]]:
    key = redis_index.key(f"metrics:before:{recent}")
    try:
        if kept := redis_index.connection().get(key):
            return [(is_whole, name, amount) for is_whole, name, amount in json.loads(str(kept))]
        sums = _sums(_BEFORE, recent)
        redis_index.connection().set(key, json.dumps(sums), ex=REMEMBERED_SECONDS)
    except redis.RedisError:
        return _sums(_BEFORE, recent)
    return sums


def _sums(statement: str, recent: date) -> list[tuple[bool, str, int]]:
    asked: dict[str, Any] = {
        "recent": recent,
        "no_day": NO_DAY,
        "enrolments": list(ENROLMENTS),
        "states": list(UNFINISHED),
        "messages": [*OUTCOMES, *FEEDBACK],
    }
    with connection.cursor() as cursor:
        cursor.execute(statement, asked)
        return cursor.fetchall()


def _enrolments(counted: _Counted) -> Iterator[Metric]:
    entered = CounterMetricFamily("carillon_enrolments_entered", "Enrolments that ever began.")
    entered.add_metric([], counted.of_enrolments.get("entered", 0))
    refused = CounterMetricFamily("carillon_enrolments_refused", "Entries that were refused.")
    refused.add_metric([], counted.of_enrolments.get("refused", 0))
    states = GaugeMetricFamily("carillon_enrolments", "Enrolments by state.", labels=["state"])
    for state in (*UNFINISHED, *FINISHED):
        states.add_metric([state], counted.of_enrolments.get(state, 0))
    pending = GaugeMetricFamily("carillon_pending_enrolments", "Enrolments that want to begin and have no place yet.")
    pending.add_metric([], counted.of_enrolments.get("pending", 0))
    yield from (entered, refused, states, pending)


def _messages(counted: _Counted, now: datetime) -> Iterator[Metric]:
    outcomes = CounterMetricFamily("carillon_messages", "Messages by what became of them.", labels=["outcome"])
    for outcome in OUTCOMES:
        outcomes.add_metric([outcome], counted.of_messages.get(outcome, 0))
    feedback = CounterMetricFamily(
        "carillon_feedback", "Messages by what providers reported of them; opens and clicks by people.", labels=["kind"]
    )
    for kind in FEEDBACK:
        feedback.add_metric([kind], counted.of_messages.get(kind, 0))
    yield from (outcomes, feedback)
    lately = figures.read(days=RATED_DAYS, now=now).total
    rates = (
        ("carillon_bounce_ratio", "Bounces of what was sent", lately.bounce_rate, lately.sent),
        ("carillon_complaint_ratio", "Complaints of what was delivered", lately.complaint_rate, lately.delivered),
    )
    for name, about, rate, sample in rates:
        said = f"{about} in the last {RATED_DAYS} days; not said of fewer than {figures.LEAST_SAMPLE} messages."
        ratio = GaugeMetricFamily(name, said)
        if sample >= figures.LEAST_SAMPLE:
            ratio.add_metric([], rate)
        yield ratio


def _answers() -> Iterator[Metric]:
    answers = CounterMetricFamily(
        "carillon_provider_answers",
        "Answers of providers by their code, or our word where they gave none; told a minute later.",
        labels=["provider", "outcome", "code"],
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT provider, outcome, code, sum(amount)::bigint FROM provider_answers"
            " GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
        )
        for *labels, amount in cursor.fetchall():
            answers.add_metric(labels, amount)
    yield answers


def _delays() -> Iterator[Metric]:
    measured = delays.read()
    for name, (called, about) in HISTOGRAMS.items():
        family = HistogramMetricFamily(called, about, labels=["lane"])
        for lane in delays.LANES_OF[name]:
            histogram = measured[name, lane]
            bounds = [*(floatToGoString(bound / 1000) for bound in delays.BOUNDS_MS), "+Inf"]
            reached, buckets = 0, []
            for bound, count in zip(bounds, histogram.counts, strict=True):
                reached += count
                buckets.append((bound, reached))
            family.add_metric([lane], buckets=buckets, sum_value=histogram.sum_ms / 1000)
        yield family
