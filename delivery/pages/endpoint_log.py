"""How an endpoint answered of late: a chart by day, and the newest of what was sent to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.db import connection

from contacts.pages.cells import words
from delivery.models import EndpointDelivery
from delivery.models.endpoint import DELIVERY_STATES
from delivery.pages.charts import Chart, Series, bars, by_day

DAYS = 14
COUNTED = 50_000  # of the newest deliveries; nobody counts a log of millions to draw a page
SHOWN = 25
LONGEST_PLACE = 18  # digits of an id
TONES = {"queued": "plain", "calling": "info", "delivered": "good", "failed": "bad"}
REASONS = {
    "timeout": "did not answer in time",
    "no_connection": "took no connection",
    "no_answer": "broke off",
    "unknown_host": "has no address",
    "bad_certificate": "has a certificate that does not hold",
    "private_address": "is no host of the public internet",
    "bad_url": "has an address that cannot be asked",
    "not_https": "is not asked over http",
    "bad_port": "is at a port that is not asked",
    "redirected": "sends elsewhere, which is not followed",
    "contact_erased": "not sent: the person was erased",
    "restricted": "not sent: processing is restricted",
    "event_gone": "not sent: the event is kept no longer",
    "loop": "not sent: calls and journeys led to it one from another, and would go round for ever",
    "worker_lost": "given up: workers were lost over it",
}


@dataclass(frozen=True)
class Rate:
    """Of the last DAYS days; `share` is None where nothing was finished. `is_more`: older ones were not counted."""

    chart: Chart
    delivered: int
    failed: int
    is_more: bool

    @property
    def share(self) -> float | None:
        done = self.delivered + self.failed
        return self.delivered / done if done else None


def rate(endpoint_id: int, *, now: datetime) -> Rate:
    days = [now.astimezone(UTC).date() - timedelta(days=n) for n in reversed(range(DAYS))]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT (finished_at AT TIME ZONE 'UTC')::date, state, count(*), sum(count(*)) OVER ()
              FROM (SELECT finished_at, state FROM webhook_deliveries WHERE endpoint_id = %s
                     ORDER BY id DESC LIMIT %s) AS newest
             GROUP BY 1, 2
            """,
            [endpoint_id, COUNTED],
        )
        rows = cursor.fetchall()
    counted: dict[str, dict[date, float]] = {"delivered": {}, "failed": {}}
    for day, state, number, _ in rows:
        if state in counted and day >= days[0]:
            counted[state][day] = number
    delivered, failed = by_day(days, counted["delivered"]), by_day(days, counted["failed"])
    chart = bars(days, [Series("Delivered", "good", delivered), Series("Given up", "bad", failed)])
    return Rate(chart, int(sum(delivered)), int(sum(failed)), bool(rows) and rows[0][3] >= COUNTED)


def log(endpoint_id: int, asked: Mapping[str, str]) -> dict[str, Any]:
    """One page of it: `?state=` narrows, `?before=` is the id where the page before ended."""
    state = asked.get("state", "")
    rows = EndpointDelivery.objects.filter(endpoint_id=endpoint_id).order_by("-id")
    if state in DELIVERY_STATES:
        rows = rows.filter(state=state)
    before = asked.get("before", "")
    if before.isascii() and before.isdigit() and len(before) <= LONGEST_PLACE:
        rows = rows.filter(id__lt=int(before))
    found: list[Any] = list(rows[: SHOWN + 1])
    for row in found:
        row.shown_tone, row.shown_state, row.shown_reason = TONES[row.state], words(row.state), reason(row.reason)
        row.short_id = str(row.webhook_id)[:8]
    is_more = len(found) > SHOWN
    shown = found[:SHOWN]
    return {
        "deliveries": shown,
        "states": [("", "All"), *((each, words(each)) for each in DELIVERY_STATES)],
        "state": state if state in DELIVERY_STATES else "",
        "older": f"?{urlencode({'state': state, 'before': shown[-1].pk})}#log" if is_more else "",
        "is_first": not before,
    }


def reason(word: str) -> str:
    """As people read it."""
    if word.startswith("status_"):
        return f"answered {word.removeprefix('status_')}"
    return REASONS.get(word, word.replace("_", " "))
