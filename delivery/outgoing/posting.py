"""Calls to endpoints: made outside any transaction, written down in one, at least once.

    claim    a lease, committed: a worker that is killed leaves a delivery that is due again when its lease is over
    call     all of a batch at once (`calls`); the slow ones are waited for by a thread of their own
    record   `posted`

Every endpoint has places of its own, and one that fails has few, so who is slow or dead delays nobody else. Within a
batch endpoints take turns."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import islice, zip_longest

from django.conf import settings
from django.db import connection

from contacts import chaos, doorbell, freezing, hops, tracing, transactions
from delivery.models import WebhookEndpoint
from delivery.outgoing import calls, endpoints, payloads, posted, sealing, signatures
from delivery.outgoing.calls import Answered, Request, Unanswered
from delivery.outgoing.endpoints import BELL, LANE
from delivery.outgoing.payloads import Asked, Told
from delivery.outgoing.posted import Claim

BATCH = 100
PLACES = 40  # of an endpoint that answers
PLACES_OF_THE_FAILING = 2
MOST_AT_ONCE = 200  # of one process
PATIENCE = 0.4  # seconds for which the lane waits with a batch
LEASE_MARGIN = timedelta(seconds=5)

_under_way = threading.Semaphore(MOST_AT_ONCE)


@dataclass(frozen=True)
class _Receiver:
    url: str
    secrets: Sequence[str] = field(repr=False)


@dataclass(frozen=True)
class _Row:
    delivery_id: int
    endpoint_id: int
    attempts: int
    webhook_id: str
    event_id: int | None
    event_recorded_at: datetime | None
    created_at: datetime


@dataclass
class _Call:
    """One that is under way. `took`: how long it was, in milliseconds, once it is over."""

    claim: Claim
    began: float = field(default_factory=time.monotonic)
    took: int = 0

    def ends(self, _: Future[Answered | Unanswered]) -> None:
        self.took = round(1000 * (time.monotonic() - self.began))


Calls = Mapping[Future[Answered | Unanswered], _Call]


def is_due(*, now: datetime) -> bool:
    """Whether a delivery to an endpoint that takes any is due."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT EXISTS (
                SELECT FROM webhook_endpoints e CROSS JOIN LATERAL (
                       SELECT FROM webhook_deliveries d WHERE d.endpoint_id = e.id
                          AND d.state IN ('queued', 'calling') AND d.due_at <= %s LIMIT 1) AS due
                 WHERE e.state = 'enabled' AND {freezing.THAWED})
            """,
            [now],
        )
        return cursor.fetchone()[0]


def post_batch(*, patience: float | None = PATIENCE) -> bool:
    """Call the endpoints for which deliveries are due, at most one batch. Returns whether there were any that this
    process could take. Whatever is not answered within `patience` seconds is recorded later, by a thread."""
    places = _places(BATCH)
    if not places:
        return False
    requests: list[tuple[Claim, Request]] = []
    try:
        taken, requests = transactions.run(lambda now: _claim(places, now))
    finally:
        _leave(places - len(requests))
    chaos.point("delivery.posts_claimed")
    if requests:
        links = partial(_contexts, [claim for claim, _ in requests])
        with tracing.batch("endpoints.post", links=links, size=len(requests), lane=LANE):
            _call(requests, patience)
    return taken


def _call(requests: Sequence[tuple[Claim, Request]], patience: float | None) -> None:
    started: dict[Future[Answered | Unanswered], _Call] = {}
    for claim, request in requests:
        call = _Call(claim)
        future = calls.start(request)
        future.add_done_callback(call.ends)
        started[future] = call
    done, late = wait(started, timeout=patience)
    _record({future: started[future] for future in done})
    if late:
        slow = {future: started[future] for future in late}
        threading.Thread(target=_record_late, args=(slow,), name="answers of endpoints", daemon=True).start()


def _places(wanted: int) -> int:
    """How many calls this process may begin now, each to be given back by `_leave`."""
    found = 0
    while found < wanted and _under_way.acquire(blocking=False):
        found += 1
    return found


def _leave(places: int) -> None:
    if places:
        _under_way.release(places)


def _claim(limit: int, now: datetime) -> tuple[bool, list[tuple[Claim, Request]]]:
    """Whether any were due, and the calls to be made. What cannot be told any more is closed."""
    rows = _due(limit, now)
    if not rows:
        return False, []
    heard = WebhookEndpoint.objects.in_bulk({row.endpoint_id for row in rows})
    receivers = {pk: receiver for pk, endpoint in heard.items() if (receiver := _receiver(endpoint, now))}
    for endpoint in WebhookEndpoint.objects.select_for_update(no_key=True).filter(pk__in=heard.keys() - receivers):
        endpoints.stop(endpoint, reason=endpoints.SECRET_LOST, now=now)
    lost = {row.delivery_id: "worker_lost" for row in rows if row.attempts >= posted.MOST_ATTEMPTS}
    rows = [row for row in rows if row.endpoint_id in receivers and row.delivery_id not in lost]
    told, refused = payloads.told([
        Asked(
            row.delivery_id,
            str(heard[row.endpoint_id].public_id),
            row.event_id,
            row.event_recorded_at,
            heard[row.endpoint_id].include_personal_data,
            row.created_at,
        )
        for row in rows
    ])  # fmt: skip
    posted.close({**lost, **refused}, now=now)
    requests = []
    for row in rows:
        if (said := told.get(row.delivery_id)) is None:
            continue
        claim = Claim(row.delivery_id, row.endpoint_id, row.attempts + 1, row.event_id, row.event_recorded_at)
        requests.append((claim, _request(row, receivers[row.endpoint_id], said, now)))
    _lease([claim.id for claim, _ in requests], now)
    return True, requests


def _due(limit: int, now: datetime) -> list[_Row]:
    """Locked, the oldest first, endpoints by turns."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT d.id, e.id, d.attempts, d.webhook_id::text, d.event_id, d.event_recorded_at, d.created_at
              FROM webhook_endpoints e
             CROSS JOIN LATERAL (
                   SELECT count(*) AS calls FROM webhook_deliveries u
                    WHERE u.endpoint_id = e.id AND u.state = 'calling' AND u.due_at > %(now)s
                      AND u.due_at <= %(leased)s) AS under_way
             CROSS JOIN LATERAL (
                   SELECT * FROM webhook_deliveries q
                    WHERE q.endpoint_id = e.id AND q.state IN ('queued', 'calling') AND q.due_at <= %(now)s
                    ORDER BY q.due_at, q.id
                    LIMIT GREATEST(0, LEAST(%(limit)s, CASE WHEN e.failing_since IS NULL THEN %(places)s
                                                            ELSE %(few)s END - under_way.calls))
                      FOR UPDATE SKIP LOCKED) AS d
             WHERE e.state = 'enabled' AND {freezing.THAWED} ORDER BY e.id, d.due_at, d.id
            """,
            {"now": now, "leased": now + _lease_time(), "limit": limit, "places": PLACES, "few": PLACES_OF_THE_FAILING},
        )
        return list(islice(_by_turns(_Row(*row) for row in cursor.fetchall()), limit))


def _by_turns(rows: Iterable[_Row]) -> Iterator[_Row]:
    each: dict[int, list[_Row]] = {}
    for row in rows:
        each.setdefault(row.endpoint_id, []).append(row)
    for turn in zip_longest(*each.values()):
        yield from (row for row in turn if row is not None)


def _receiver(endpoint: WebhookEndpoint, now: datetime) -> _Receiver | None:
    """None: its secret cannot be read. The old one signs while it holds, if it can be read."""
    try:
        found = [sealing.unseal(endpoint.sealed_secret)]
    except sealing.Unreadable:
        return None
    if endpoint.old_secret_until and endpoint.old_secret_until > now:
        try:
            found.append(sealing.unseal(endpoint.sealed_old_secret))
        except sealing.Unreadable:
            return _Receiver(endpoint.url, found)
    return _Receiver(endpoint.url, found)


def _request(row: _Row, receiver: _Receiver, said: Told, now: datetime) -> Request:
    signed = signatures.headers(webhook_id=row.webhook_id, at=now, body=said.body, signed_with=receiver.secrets)
    headers = {"Content-Type": "application/json", **hops.header(said.hops), **signed}
    return Request("POST", receiver.url, headers, said.body)


def _lease_time() -> timedelta:
    return timedelta(seconds=settings.WEBHOOK_TIMEOUT_SECONDS) + LEASE_MARGIN


def _lease(delivery_ids: Sequence[int], now: datetime) -> None:
    """`due_at` is the end of the lease, so a delivery whose worker is lost comes due by itself."""
    lease_until = now + _lease_time()
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE webhook_deliveries SET state = 'calling', attempts = attempts + 1, due_at = %s WHERE id = ANY(%s)",
            [lease_until, list(delivery_ids)],
        )


def _record(finished: Calls) -> None:
    if not finished:
        return
    try:
        made = [(call.claim, future.result(), call.took) for future, call in finished.items()]
        chaos.point("delivery.posts_answered")
        transactions.run(lambda now: posted.write([posted.meaning(*each, now=now) for each in made], now=now))
    finally:
        _leave(len(finished))


def _record_late(started: Calls) -> None:
    try:
        wait(started, timeout=settings.WEBHOOK_TIMEOUT_SECONDS + LEASE_MARGIN.total_seconds())
        _record(started)
        doorbell.ring(BELL, LANE)  # there may be more than this process could take at once
    finally:
        connection.close()


def _contexts(claims: Sequence[Claim]) -> list[str]:
    known = [claim for claim in claims if claim.event_id is not None]
    return tracing.of_events([claim.event_id or 0 for claim in known], [claim.event_recorded_at for claim in known])
