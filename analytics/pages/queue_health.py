"""The queue-health page: what waits in each lane and for how long, how long things take, what providers answer, who
works, and how the database is. It brings itself up to date while somebody looks."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import redis
from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.template.loader import render_to_string
from django.template.response import TemplateResponse

from analytics.health import database, delays, queues
from analytics.health.delays import Histogram
from analytics.health.queues import Queue
from analytics.models import Latency
from analytics.pages import queue_badge
from contacts import clock, heartbeat
from contacts.pages.changelists import ReadOnlyAdmin
from delivery import figures
from delivery.pages import charts
from delivery.pages.charts import Part

RANGES = {1: "Today", 7: "7 days", 30: "30 days", 90: "90 days"}
PROMISE_SECONDS = 2
ENOUGH = 0.99  # of what was measured, within the promise
TITLES = {
    delays.EVENT_TO_ENROLMENT: ("From event to entry", "From the record of an event until somebody entered for it."),
    delays.EVENT_TO_PROVIDER: (
        "From event to provider",
        "From the record of an event until the provider took what was sent for it at once. Waits, quiet hours and"
        " allowances are no delay.",
    ),
    delays.TIMER: ("Ends of waits", "From the time for which a wait was set until it ended. No wait ends early."),
    delays.WEBHOOK: ("Reports of providers", "From the arrival of a report until it was taken in."),
}
TONES = {"urgent": "info", "bulk": "plain", "webhooks": "good"}
LANES = {"urgent": "Urgent", "bulk": "Bulk", "webhooks": "Webhooks", "housekeeping": "Housekeeping"}
NOT_WORK = frozenset({"paused", "counters"})  # meant to wait; and what nobody waits for


@dataclass(frozen=True)
class Lane:
    """What could be worked on now in a lane, and the oldest of it in seconds."""

    name: str
    title: str
    depth: int
    age: float | None
    late: bool
    is_more: bool  # than is counted


@dataclass(frozen=True)
class Bar:
    """What is between two bounds: `label` is the upper one; `cells` the numbers by lane."""

    label: str
    said: str
    parts: Sequence[Part]
    cells: Sequence[int]


@dataclass(frozen=True)
class Row:
    """A histogram in numbers; seconds, None where nothing was measured, infinity beyond the longest bound."""

    lane: str
    tone: str
    measured: int
    half: float | None
    most: float | None  # 95 of 100
    nearly_all: float | None  # 99 of 100
    within: float | None
    is_slow: bool


@dataclass(frozen=True)
class Delay:
    """One of the delays: `rows` by lane, and the bars of their distribution with the scale beside it."""

    name: str
    title: str
    about: str
    rows: Sequence[Row]
    bars: Sequence[Bar]
    ticks: Sequence[str]


@dataclass(frozen=True)
class Answer:
    """How often a provider gave this answer."""

    provider: str
    outcome: str
    code: str
    amount: int


@admin.register(Latency)
class QueueHealthAdmin(ReadOnlyAdmin):
    title_of_list = "Queue health"

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """`?days=7` is the span of delays and answers; `&live=1` answers with the content alone, or 304 with the tag of
        what is shown already."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        now = clock.now()
        days = _days(request)
        content = render_to_string("admin/analytics/queue_health_content.html", read(days=days, now=now), request)
        tag = f'"{hashlib.blake2b(content.encode(), digest_size=16).hexdigest()}"'
        if "live" in request.GET:
            if request.headers.get("If-None-Match") == tag:
                return HttpResponseNotModified(headers={"ETag": tag})
            return HttpResponse(content, headers={"ETag": tag})
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Queue health",
            "crumbs": self.crumbs(),
            "now": now,
            "days": days,
            "ranges": [(f"?days={n}", title, n == days) for n, title in RANGES.items()],
            "content": content,
            "tag": tag,
        }
        return TemplateResponse(request, "admin/analytics/queue_health.html", context)


def _days(request: HttpRequest) -> int:
    asked = request.GET.get("days", "")
    return int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 3 and int(asked) in RANGES else 1


def read(*, days: int, now: datetime) -> dict[str, Any]:
    """What the page shows, of the last `days` days (UTC), today among them. Six statements, and a question to Redis."""
    since = now.astimezone(UTC).date() - timedelta(days=days - 1)
    found = queues.read(now=now)
    measured = delays.read(since=since)
    read_delays = [_delay(name, measured) for name in delays.NAMES]
    answers = _answers(since)
    house = database.read(now=now)
    lately = figures.read(days=days, now=now).total
    silent = _silent()
    late = sum(queue.late for queue in found)
    queue_badge.keep(late + (1 if silent is None else len(silent)))
    return {
        "span": RANGES[days].lower(),
        "lanes": _lanes(found),
        "queues": [(queue, queue.name not in NOT_WORK and bool(queue.depth)) for queue in found],
        "deepest": max((queue.depth for queue in found), default=0) or 1,
        "late": late,
        "waiting": sum(queue.depth for queue in found if queue.name not in NOT_WORK),
        "is_more": any(queue.is_more for queue in found if queue.name not in NOT_WORK),
        "oldest": max((queue.age for queue in found if queue.lane == "urgent" and queue.age is not None), default=None),
        "dead_letters": next(queue.depth for queue in found if queue.name == "failed"),
        "delays": read_delays,
        "to_provider": _urgent(read_delays, delays.EVENT_TO_PROVIDER),
        "timers": _urgent(read_delays, delays.TIMER),
        "promise": PROMISE_SECONDS,
        "answers": [answer for answer in answers if answer.outcome != "accepted"],
        "taken": sum(answer.amount for answer in answers if answer.outcome == "accepted"),
        "rates": lately,
        "workers": None if silent is None else [(name, name not in silent) for name in settings.HEARTBEATS],
        "silent": len(silent or ()),
        "database": house,
        "tables": [table for table in house.tables if table.size][:10],
    }


def _lanes(found: Sequence[Queue]) -> list[Lane]:
    lanes = []
    for name, title in LANES.items():
        mine = [queue for queue in found if queue.lane == name and queue.name not in NOT_WORK]
        age = max((queue.age for queue in mine if queue.age is not None), default=None)
        lanes.append(
            Lane(
                name,
                title,
                depth=sum(queue.depth for queue in mine),
                age=age,
                late=any(queue.late for queue in mine),
                is_more=any(queue.is_more for queue in mine),
            )
        )
    return lanes


def _delay(name: str, measured: Mapping[tuple[str, str], Histogram]) -> Delay:
    histograms = [measured[name, lane] for lane in delays.LANES_OF[name]]
    top = charts.ceiling(max(delays.together(histograms).counts))
    labels = [*(_bound(bound) for bound in delays.BOUNDS_MS), "more"]
    bars = []
    for number, label in enumerate(labels):
        cells = [histogram.counts[number] for histogram in histograms]
        said = f"{'More' if label == 'more' else f'Up to {label}'}: " + ", ".join(
            f"{histogram.lane} {count:,}" for histogram, count in zip(histograms, cells, strict=True)
        )
        bars.append(Bar(label, said, _parts(histograms, cells, top), cells))
    ticks = [charts.short(top), charts.short(top / 2), "0"]
    title, about = TITLES[name]
    return Delay(name, title, about, [_row(histogram) for histogram in histograms], bars, ticks)


def _parts(histograms: Sequence[Histogram], cells: Sequence[int], top: float) -> list[Part]:
    parts, level = [], charts.HEIGHT
    for histogram, count in zip(histograms, cells, strict=True):
        if count:
            height = round(charts.HEIGHT * count / top, 2)
            level = max(0.0, round(level - height, 2))
            parts.append(Part(TONES[histogram.lane], level, height))
    return parts


def _row(histogram: Histogram) -> Row:
    within = histogram.within(PROMISE_SECONDS)
    return Row(
        lane=LANES[histogram.lane],
        tone=TONES[histogram.lane],
        measured=histogram.total,
        half=histogram.quantile(0.5),
        most=histogram.quantile(0.95),
        nearly_all=histogram.quantile(0.99),
        within=within,
        is_slow=within is not None and within < ENOUGH and histogram.lane != "bulk",  # an import may take its time
    )


def _urgent(read_delays: Sequence[Delay], name: str) -> Row:
    return next(each.rows[0] for each in read_delays if each.name == name)


def _bound(milliseconds: int) -> str:
    for size, unit in ((3_600_000, "h"), (60_000, "min"), (1000, "s")):
        if milliseconds >= size:
            return f"{milliseconds // size} {unit}"
    return f"{milliseconds} ms"


def _answers(since: date) -> list[Answer]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT provider, outcome, code, sum(amount)::bigint FROM provider_answers WHERE day >= %s"
            " GROUP BY 1, 2, 3 ORDER BY 4 DESC, 1, 2, 3",
            [since],
        )
        return [Answer(*row) for row in cursor.fetchall()]


def _silent() -> set[str] | None:
    """The processes that nothing was heard of; None: Redis, where they beat, does not answer."""
    try:
        return set(heartbeat.missing(settings.HEARTBEATS))
    except redis.RedisError:
        return None
