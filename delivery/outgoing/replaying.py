"""Deliveries made once more, because somebody asks: one by its id, or what was recorded in a span of time. A replay is
a row of its own with the `webhook-id` of the original, so a receiver that has taken the event already can tell.

A span is read from the event log, so it also brings what was recorded while the endpoint was disabled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection

from contacts import audit, authority, doorbell, durations
from contacts.awaited import EVERY
from contacts.faults import Fault
from delivery.models import EndpointDelivery, WebhookEndpoint
from delivery.models.endpoint import OPEN_DELIVERIES
from delivery.outgoing.endpoints import BELL, CHANGE, LANE, BadEndpoint
from delivery.outgoing.hearing import WEBHOOK_ID

MOST_REPLAYED = 10_000  # of one request
MOST_LOOKED_AT = 500_000  # events of one request
LONGEST_SPAN = timedelta(days=31)
LONGEST_TRANSACTION = timedelta(minutes=15)  # ids follow `recorded_at` but for transactions that ran side by side
_AHEAD = 1000  # events behind those looked at, among which the earliest is where to go on


class StillOpen(Exception):
    """The delivery is under way, and needs no replay."""


@dataclass(frozen=True)
class Replayed:
    """`go_on_from`: the span was not looked at to its end; ask again from then on. What is sent twice thereby has the
    same `webhook-id`."""

    queued: int
    go_on_from: datetime | None


def one(endpoint_id: int, delivery_id: str, *, now: datetime) -> str:
    """Make the delivery with this public id once more; returns the id of the new one. Raises NotAllowed, LookupError,
    StillOpen. In the caller's transaction."""
    authority.require(CHANGE)
    found = EndpointDelivery.objects.filter(endpoint_id=endpoint_id, public_id=delivery_id).first()
    if found is None or not WebhookEndpoint.objects.filter(pk=endpoint_id).exclude(state="removed").exists():
        raise LookupError(delivery_id)
    if found.state in OPEN_DELIVERIES:
        raise StillOpen
    new = EndpointDelivery.objects.create(
        webhook_id=found.webhook_id,
        endpoint_id=endpoint_id,
        event_id=found.event_id,
        event_recorded_at=found.event_recorded_at,
        event_type=found.event_type,
        contact_id=found.contact_id,
        is_replay=True,
        due_at=now,
        created_at=now,
    )
    new.refresh_from_db(fields=["public_id"])
    audit.note("webhook_endpoint.replayed", of=("webhook_endpoint", endpoint_id), after={"deliveries": 1})
    doorbell.ring_on_commit(BELL, LANE)
    return str(new.public_id)


def span(
    endpoint_id: int,
    *,
    since: datetime,
    until: datetime,
    event_types: Sequence[str] = (),
    only_failed: bool = False,
    now: datetime,
) -> Replayed:
    """Queue anew what was recorded from `since` to before `until`, of the types that the endpoint hears (`event_types`
    narrows them), but for what is under way to it. `only_failed` leaves out what it has taken. At most MOST_REPLAYED
    at once. Raises NotAllowed, LookupError, BadEndpoint. In the caller's transaction; a constant number of statements
    and some forty small ones to find the place in the log."""
    authority.require(CHANGE)
    endpoint = WebhookEndpoint.objects.exclude(state="removed").filter(pk=endpoint_id).first()
    if endpoint is None:
        raise LookupError(endpoint_id)
    if not since < until:
        raise BadEndpoint([Fault("span", "lies after since", ("until",))])
    if until - since > LONGEST_SPAN:
        raise BadEndpoint([Fault("span", f"is at most {LONGEST_SPAN.days} days after since", ("until",))])
    first, behind = _first_id(since - LONGEST_TRANSACTION), _first_id(until + LONGEST_TRANSACTION)
    last = min(behind, first + MOST_LOOKED_AT)
    types = [EVERY] if EVERY in endpoint.event_types and not event_types else _narrowed(endpoint, event_types)
    with connection.cursor() as cursor:
        cursor.execute(
            _REPLAY,
            {
                "endpoint": endpoint_id, "first": first, "last": last, "since": since, "until": until, "now": now,
                "types": types, "only_failed": only_failed, "limit": MOST_REPLAYED,
                "oldest": durations.window(settings.EVENT_TRIGGER_MAX_AGE, speed=1.0).total_seconds(),
            },
        )  # fmt: skip
        queued, highest = cursor.fetchone()
    read_to = highest + 1 if queued == MOST_REPLAYED else last
    go_on_from = _earliest(read_to, since, until) if read_to < behind else None
    if queued:
        audit.note(
            "webhook_endpoint.replayed",
            of=("webhook_endpoint", endpoint_id),
            after={"deliveries": queued, "since": since.isoformat(), "until": until.isoformat()},
        )
        doorbell.ring_on_commit(BELL, LANE)
    return Replayed(queued, go_on_from)


def _narrowed(endpoint: WebhookEndpoint, event_types: Sequence[str]) -> list[str]:
    heard = set(endpoint.event_types)
    return sorted(event_type for event_type in set(event_types) or heard if EVERY in heard or event_type in heard)


_REPLAY = f"""
    WITH wanted AS MATERIALIZED (
        SELECT v.id, v.recorded_at, v.type, v.contact_id FROM contact_events v
         WHERE v.id >= %(first)s AND v.id < %(last)s AND v.recorded_at >= %(since)s AND v.recorded_at < %(until)s
           AND v.processed AND v.occurred_at >= v.recorded_at - make_interval(secs => %(oldest)s)
           AND (v.type = ANY(%(types)s) OR '*' = ANY(%(types)s))
           AND NOT EXISTS (
               SELECT FROM webhook_deliveries d
                WHERE d.endpoint_id = %(endpoint)s AND d.event_id = v.id AND NOT d.is_replay
                  AND (d.state IN ('queued', 'calling') OR (%(only_failed)s AND d.state = 'delivered')))
           AND NOT EXISTS (
               SELECT FROM webhook_deliveries d
                WHERE d.endpoint_id = %(endpoint)s AND d.event_id = v.id AND d.is_replay
                  AND (d.state IN ('queued', 'calling') OR (%(only_failed)s AND d.state = 'delivered')))
         ORDER BY v.id LIMIT %(limit)s),
    made AS (
        INSERT INTO webhook_deliveries (endpoint_id, webhook_id, event_id, event_recorded_at, event_type, contact_id,
                                        is_replay, due_at, created_at)
        SELECT e.id, {WEBHOOK_ID.format(event="w.id")}, w.id, w.recorded_at, w.type, w.contact_id, true, %(now)s,
               %(now)s
          FROM wanted w JOIN webhook_endpoints e ON e.id = %(endpoint)s ORDER BY w.id)
    SELECT count(*), max(id) FROM wanted
"""


def _first_id(at: datetime) -> int:
    """The first event that was recorded at this time or later, by halving: the log is indexed by id alone."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT COALESCE(min(id), 1), COALESCE(max(id), 0) + 1 FROM contact_events")
        low, high = cursor.fetchone()
        while low < high:
            middle = (low + high) // 2
            cursor.execute(
                "SELECT id, recorded_at FROM contact_events WHERE id >= %s ORDER BY id LIMIT 1",
                [middle],
            )
            row = cursor.fetchone()
            if row is None or row[1] >= at:
                high = middle
            else:
                low = row[0] + 1
        return low


def _earliest(event_id: int, since: datetime, until: datetime) -> datetime | None:
    """When the earliest of the next events in the span was recorded; None where none is left."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT min(recorded_at) FROM (SELECT recorded_at FROM contact_events WHERE id >= %s ORDER BY id LIMIT %s)"
            " AS next WHERE recorded_at >= %s AND recorded_at < %s",
            [event_id, _AHEAD, since, until],
        )
        return cursor.fetchone()[0]
