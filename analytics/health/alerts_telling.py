"""Telling of alerts: a mail to each of ALERT_EMAIL, by way of the post office, and a signed call of ALERT_WEBHOOK_URL.

What is to be told is written down in the transaction that decided it (`tell`): the mail as a notice, which is sent at
most once, and the call as a row, which is made at least once, each time under the same `webhook-id`. Calls are made
while no transaction is open, an alert's own in their order, and again for as long as GIVE_UP_AFTER if nobody takes
them."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.urls import reverse

from analytics.health.alerts_deciding import AGAIN, CLOSED, OPENED, WORSE
from analytics.models import Alert, AlertCall
from contacts import chaos, doorbell, freezing, transactions
from delivery import notices
from delivery.notices import Notice
from delivery.outgoing import calls, signatures
from delivery.outgoing.calls import Answered, Request, Unanswered

BELL, LANE = "analytics.tell", "housekeeping"
BATCH = 20
PATIENCE = 0.4  # seconds for which the lane waits for the answers of a batch; a thread waits for the slow ones
LEASE_MARGIN = timedelta(seconds=5)
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=10), timedelta(hours=1)
GIVE_UP_AFTER = timedelta(hours=24)
END = -1  # the number of the telling of the end

TYPES = {OPENED: "alert.opened", WORSE: "alert.worsened", AGAIN: "alert.still_open", CLOSED: "alert.closed"}
_WORDS = {OPENED: "", WORSE: "Worse", AGAIN: "Still open", CLOSED: "Over"}


def is_set_up() -> bool:
    """Whether there is anybody to tell. The page shows what is open all the same."""
    return bool(settings.ALERT_EMAIL or settings.ALERT_WEBHOOK_URL)


def tell(news: Sequence[tuple[Alert, str]], *, now: datetime) -> None:
    """Write down what is to be told of these alerts (opened · worse · again · closed), in the transaction that settled
    them. One mail for all of it, a call for each."""
    assert connection.in_atomic_block, "who is to be told is written down where it is decided"
    if not news:
        return
    first, kind = news[0]
    notices.enqueue(
        [
            Notice(
                contact_id=None,
                to_address=address,
                subject=_subject(news),
                text=_mail(news),
                key=f"alert:{first.pk}:{_number(first, kind)}:{address}",
                lane="urgent",
                asked_by_reader=True,  # whoever set the installation up wants to hear of it
            )
            for address in settings.ALERT_EMAIL
        ],
        now=now,
    )
    if settings.ALERT_WEBHOOK_URL:
        rows = [
            AlertCall(
                alert=alert, number=_number(alert, kind), body=_body(alert, kind, now), due_at=now, created_at=now
            )
            for alert, kind in news
        ]
        AlertCall.objects.bulk_create(rows)
        doorbell.ring_on_commit(BELL, LANE)


def _number(alert: Alert, kind: str) -> int:
    return END if kind == CLOSED else alert.tellings


# -- in words ----------------------------------------------------------------------------------------------------------


def page_of(alert: Alert) -> str:
    """The address of the page that says more; the alerts' own where there is none."""
    return f"{settings.PUBLIC_URL}{alert.page or reverse('admin:analytics_alert_changelist')}"


def advice_on(source: str) -> str:
    """The address of what to do about alerts of this source."""
    return f"{settings.PUBLIC_URL}{reverse('admin:analytics_alert_runbook')}#{source}"


def _line(alert: Alert, kind: str) -> str:
    word = _WORDS[kind] or alert.severity.capitalize()
    return f"{word}: {alert.title}"


def _subject(news: Sequence[tuple[Alert, str]]) -> str:
    rest = f" and {len(news) - 1} more" if len(news) > 1 else ""
    return f"[{settings.BRAND_NAME}] {_line(*news[0])}{rest}"


def _mail(news: Sequence[tuple[Alert, str]]) -> str:
    parts = []
    for alert, kind in news:
        lines = [_line(alert, kind), alert.said, _times(alert)]
        if kind != CLOSED:
            lines += [f"What to do: {advice_on(alert.source)}", f"Where: {page_of(alert)}"]
        parts.append("\n".join(filter(None, lines)))
    parts.append(f"All alerts: {settings.PUBLIC_URL}{reverse('admin:analytics_alert_changelist')}")
    return "\n\n".join(parts) + "\n"


def _times(alert: Alert) -> str:
    since = f"Since {_at(alert.began_at)}"
    return f"{since}, until {_at(alert.gone_since)}." if alert.closed_at and alert.gone_since else f"{since}."


def _at(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _body(alert: Alert, kind: str, now: datetime) -> str:
    """As JSON. `text` is the line that chat tools show."""
    said: dict[str, Any] = {
        "type": TYPES[kind],
        "timestamp": now.isoformat(),
        "text": f"{_line(alert, kind)}. {alert.said}",
        "data": {
            "id": alert.pk,
            "key": alert.key,
            "severity": alert.severity,
            "title": alert.title,
            "detail": alert.said,
            "began_at": alert.began_at.isoformat(),
            "opened_at": alert.opened_at.isoformat() if alert.opened_at else None,
            "ended_at": alert.gone_since.isoformat() if kind == CLOSED and alert.gone_since else None,
            "page": page_of(alert),
            "runbook": advice_on(alert.source),
        },
    }
    return json.dumps(said, ensure_ascii=False)


# -- calls -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Claim:
    id: int
    public_id: str
    body: bytes
    attempt: int
    claimed_at: datetime


def is_work_waiting(*, now: datetime) -> bool:
    """For the sweep: whether calls are due."""
    return AlertCall.objects.filter(state__in=["queued", "calling"], due_at__lte=now).exists()


def call_batch(*, patience: float | None = PATIENCE) -> bool:
    """Make the calls that are due, at most one batch. Returns whether there were any. Whatever is not answered within
    `patience` seconds is written down by a thread, later."""
    claims = transactions.run(_claim)
    chaos.point("alerts.calls_claimed")
    if not claims:
        return False
    started = {_start(claim): claim for claim in claims}
    done, late = wait(started, timeout=patience)
    _record({future: started[future] for future in done})
    if late:
        slow = {future: started[future] for future in late}
        threading.Thread(target=_record_late, args=(slow,), name="alert answers", daemon=True).start()
    return True


def _claim(now: datetime) -> list[_Claim]:
    """`due_at` is the end of the lease, so a call whose worker is lost comes due by itself."""
    lease_until = now + timedelta(seconds=settings.WEBHOOK_TIMEOUT_SECONDS) + LEASE_MARGIN
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            UPDATE alert_calls c SET state = 'calling', attempts = c.attempts + 1, due_at = %s
              FROM (SELECT id FROM alert_calls d WHERE d.state IN ('queued', 'calling') AND d.due_at <= %s
                       AND {freezing.THAWED}
                       AND NOT EXISTS (SELECT FROM alert_calls e WHERE e.alert_id = d.alert_id AND e.id < d.id
                                          AND e.state IN ('queued', 'calling'))
                     ORDER BY due_at, id LIMIT %s FOR UPDATE SKIP LOCKED) AS due
             WHERE c.id = due.id
            RETURNING c.id, c.public_id::text, c.body, c.attempts
            """,
            [lease_until, now, BATCH],
        )
        return [_Claim(pk, public_id, body.encode(), n, now) for pk, public_id, body, n in sorted(cursor.fetchall())]


def _start(claim: _Claim) -> Future[Answered | Unanswered]:
    if not settings.ALERT_WEBHOOK_URL:
        nowhere: Future[Answered | Unanswered] = Future()
        nowhere.set_result(Unanswered("no_url", refused=True))
        return nowhere
    signed = signatures.headers(webhook_id=claim.public_id, at=claim.claimed_at, body=claim.body)
    headers = {"content-type": "application/json", **signed}
    return calls.start(Request("POST", settings.ALERT_WEBHOOK_URL, headers, claim.body))


def _record(finished: Mapping[Future[Answered | Unanswered], _Claim]) -> None:
    if finished:
        answers = [(claim, future.result()) for future, claim in finished.items()]
        transactions.run(lambda now: _write(answers, now))


def _record_late(started: Mapping[Future[Answered | Unanswered], _Claim]) -> None:
    try:
        wait(started, timeout=settings.WEBHOOK_TIMEOUT_SECONDS + LEASE_MARGIN.total_seconds())
        _record(started)
    finally:
        connection.close()


def _write(answers: Sequence[tuple[_Claim, Answered | Unanswered]], now: datetime) -> None:
    """Only of calls that are still those that were made: whoever comes after the end of the lease changes nothing."""
    rows = {
        row.pk: row
        for row in AlertCall.objects.filter(pk__in=[claim.id for claim, _ in answers], state="calling")
        .order_by("pk")
        .select_for_update()
    }
    for claim, answer in answers:
        row = rows.get(claim.id)
        if row is None or row.attempts != claim.attempt:
            continue
        row.status = answer.status if isinstance(answer, Answered) else None
        row.reason = _reason(answer)
        is_hopeless = isinstance(answer, Unanswered) and answer.refused
        if not row.reason or is_hopeless or now - row.created_at >= GIVE_UP_AFTER:
            row.state, row.finished_at = "failed" if row.reason else "answered", now
        else:
            row.state, row.due_at = "queued", now + _pause(claim.attempt)
        row.save()


def _reason(answer: Answered | Unanswered) -> str:
    """One word; empty: it was taken."""
    if isinstance(answer, Unanswered):
        return answer.reason
    return "" if 200 <= answer.status < 300 else f"status_{answer.status}"


def _pause(attempt: int) -> timedelta:
    longest = min(FIRST_PAUSE * 2 ** min(attempt - 1, 20), LONGEST_PAUSE)
    return longest * random.uniform(0.5, 1.0)  # noqa: S311  (jitter)
