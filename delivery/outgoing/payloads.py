"""What an endpoint is told of an event, made at the moment of the call: a contact that was merged is named as who it is
now, and of one that was erased nothing is told.

    {"type": "order_completed", "timestamp": when it happened,
     "data": {"event_id", "occurred_at", "recorded_at", "contact": {"id", "external_id"}, "properties"}}

Addresses and telephone numbers in it are masked, wherever they stand, unless the endpoint takes personal data: then
`contact` has `email` and `phone`, too, and `data` the `context` of the event."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import connection

from contacts import hops, personal
from contacts.events import OWN
from contacts.privacy import restricting
from delivery.outgoing.hearing import PING


@dataclass(frozen=True)
class Asked:
    """A delivery whose body is wanted. `event_id` None: a ping."""

    delivery_id: int
    endpoint_id: str  # the public one
    event_id: int | None
    event_recorded_at: datetime | None
    include_personal_data: bool
    created_at: datetime


@dataclass(frozen=True)
class Told:
    """What a delivery says. `hops`: how many journeys and calls led to it, itself among them (`contacts.hops`)."""

    body: bytes
    hops: int


def told(asked: Sequence[Asked]) -> tuple[dict[int, Told], dict[int, str]]:
    """What each delivery says; and why nothing is told of the others: event_gone · contact_erased · restricted · loop.
    Two statements."""
    made = {each.delivery_id: Told(_ping(each), 1) for each in asked if each.event_id is None}
    about = [each for each in asked if each.event_id is not None]
    if not about:
        return made, {}
    events = _events(about)
    barred = restricting.barred({event["contact_id"] for event in events.values()})
    refused: dict[int, str] = {}
    for each in about:
        event = events.get(each.event_id or 0)
        if event is None:
            refused[each.delivery_id] = "event_gone"
        elif event["contact_id"] in barred:
            refused[each.delivery_id] = barred[event["contact_id"]]
        elif (led_by := _hops(event)) >= hops.MOST:
            refused[each.delivery_id] = "loop"
        else:
            body = _body(event, include_personal_data=each.include_personal_data)
            made[each.delivery_id] = Told(body, led_by + 1)
    return made, refused


def _events(asked: Sequence[Asked]) -> dict[int, dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT v.id, v.contact_id, v.type, v.occurred_at, v.recorded_at, v.properties::text, v.context::text,
                   c.public_id::text, c.external_id, c.email, c.phone, v.source
              FROM unnest(%s::bigint[], %s::timestamptz[]) AS a(id, recorded_at)
              JOIN contact_events v ON v.id = a.id AND v.recorded_at = a.recorded_at
              JOIN contacts c ON c.id = v.contact_id
            """,
            [[each.event_id for each in asked], [each.event_recorded_at for each in asked]],
        )
        names = ("id", "contact_id", "type", "occurred_at", "recorded_at", "properties", "context", "public_id",
                 "external_id", "email", "phone", "source")  # fmt: skip
        return {row[0]: dict(zip(names, row, strict=True)) for row in cursor.fetchall()}


def _hops(event: Mapping[str, Any]) -> int:
    return hops.count(json.loads(event["context"]), own=event["source"] == OWN)


def _body(event: Mapping[str, Any], *, include_personal_data: bool) -> bytes:
    contact: dict[str, Any] = {"id": event["public_id"], "external_id": event["external_id"] or None}
    data: dict[str, Any] = {
        "event_id": str(event["id"]),
        "occurred_at": _at(event["occurred_at"]),
        "recorded_at": _at(event["recorded_at"]),
        "contact": contact,
        "properties": json.loads(event["properties"]),
    }
    if include_personal_data:
        contact |= {"email": event["email"] or None, "phone": event["phone"] or None}
        data["context"] = json.loads(event["context"])
    else:
        data = personal.without_addresses(data)
    return _dumped({"type": event["type"], "timestamp": _at(event["occurred_at"]), "data": data})


def _ping(asked: Asked) -> bytes:
    return _dumped({"type": PING, "timestamp": _at(asked.created_at), "data": {"endpoint": asked.endpoint_id}})


def _dumped(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _at(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
