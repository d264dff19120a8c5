"""Short ways to make segments and to let their keepers work, for the tests of audiences."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import connection

from contacts import transactions
from contacts.audiences import filling, membership, segments
from contacts.models import Contact, ContactEvent, SegmentMember

PRO = {"field": "plan", "op": "eq", "value": "pro"}


def people(*attributes: dict[str, Any]) -> list[int]:
    return [each.pk for each in Contact.objects.bulk_create([Contact(attributes=one) for one in attributes])]


def make(slug: str, condition: object = PRO, **rest: Any) -> None:
    transactions.run(lambda now: segments.create(slug=slug, name=slug, condition=condition, now=now, **rest))


def make_live(slug: str, condition: object = PRO, **rest: Any) -> None:
    make(slug, condition, **rest)
    fill()


def fill() -> None:
    while transactions.run(filling.fill_batch):
        pass


def check(now: datetime | None = None) -> None:
    """Work off both lanes, at the database's clock or at `now`."""
    for lane in ("urgent", "bulk"):
        while transactions.run(lambda clock, lane=lane: membership.check_batch(lane, now or clock)):
            pass


def members(slug: str) -> list[int]:
    kept = SegmentMember.objects.filter(segment__slug=slug).order_by("contact_id")
    return list(kept.values_list("contact_id", flat=True))


def told(contact_ids: Sequence[int] | None = None) -> list[tuple[int, str, str]]:
    """(contact id, entered or left, segment) of the events, in their order."""
    rows = ContactEvent.objects.filter(type__in=["segment_entered", "segment_left"]).order_by("id")
    return [
        (row.contact_id, row.type.removeprefix("segment_"), row.properties["segment"])
        for row in rows
        if contact_ids is None or row.contact_id in contact_ids
    ]


def count(table: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table}")
        return cursor.fetchone()[0]
