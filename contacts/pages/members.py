"""Who is in a segment or a list, or has a tag: one page at a time, newest first, found by identifier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Q

from contacts.audiences import sizes
from contacts.audiences.sizes import COUNTED
from contacts.models import Contact, ContactEvent
from contacts.pages.contacts import contact_ids_of, full_name, names_of

SHOWN = 50
FOUND = 500  # contacts that a search looks at
LOOKED_AT = 50_000  # newest events among which comings and goings are sought: there is no index on the type alone
LATELY = 12
# what the survivor of a merge had already stays with the contact that was absorbed
_LIVING = "EXISTS (SELECT FROM contacts c WHERE c.id = m.contact_id AND c.merged_into_id IS NULL)"

_TABLES = {
    "segment": ("segment_members", "segment_id", "entered_at"),
    "list": ("list_members", "list_id", "joined_at"),
    "tag": ("contact_tags", "tag_id", "added_at"),
}


@dataclass(frozen=True)
class Member:
    """`row` orders the stays; `name` may be empty."""

    row: int
    contact_id: int
    shown: str
    name: str
    since: datetime


@dataclass(frozen=True)
class Members:
    """One page; `before` is the cursor of the next one, 0 on the last."""

    rows: tuple[Member, ...]
    before: int


@dataclass(frozen=True)
class Passage:
    """Somebody came in, or left."""

    entered: bool
    contact_id: int
    shown: str
    at: datetime


def members_page(of: str, id: int, *, search: str = "", before: int = 0) -> Members:
    """Members of a `segment`, `list` or `tag`, the newest first. `search`: an identifier or how it begins."""
    table, column, since = _TABLES[of]
    where = [f"{column} = %s", _LIVING]
    params: list[Any] = [id]
    if before:
        where.append("id < %s")
        params.append(before)
    if search.strip():
        where.append("contact_id = ANY(%s)")
        params.append(_found(search.strip()))
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id, contact_id, {since} FROM {table} m WHERE {' AND '.join(where)} ORDER BY id DESC LIMIT %s",
            [*params, SHOWN + 1],
        )
        rows = cursor.fetchall()
    known = Contact.objects.in_bulk([contact_id for _, contact_id, _ in rows])
    shown = tuple(_member(row, contact_id, at, known) for row, contact_id, at in rows[:SHOWN])
    return Members(shown, shown[-1].row if len(rows) > SHOWN else 0)


def counts(of: str, ids: Sequence[int]) -> dict[int, int]:
    """Members of each of these, counted no further than just beyond COUNTED. One statement."""
    return sizes.counts(of, ids, upto=COUNTED + 1)


def counted(count: int) -> str:
    return f"more than {COUNTED:,}" if count > COUNTED else f"{count:,}"


def lately(slug: str) -> list[Passage]:
    """Who entered or left the segment, as far as the newest events tell."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT COALESCE(max(id), 0) FROM contact_events")
        (newest,) = cursor.fetchone()
    found = ContactEvent.objects.filter(
        id__gt=newest - LOOKED_AT, type__in=("segment_entered", "segment_left"), properties__segment=slug
    ).order_by("-id")[:LATELY]
    events = list(found)
    names = names_of({event.contact_id for event in events})
    return [
        Passage(
            event.type == "segment_entered",
            event.contact_id,
            names.get(event.contact_id, f"Contact {event.contact_id}"),
            event.occurred_at,
        )
        for event in events
    ]


def cursor_of(text: str) -> int:
    """A cursor out of an address; nonsense is the first page."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else 0


def _member(row: int, contact_id: int, since: datetime, known: dict[Any, Contact]) -> Member:
    contact = known.get(contact_id)
    if contact is None:
        return Member(row, contact_id, f"Contact {contact_id}", "", since)
    return Member(row, contact_id, str(contact), full_name(contact), since)


def _found(term: str) -> list[int]:
    begins = Contact.objects.filter(Q(email__startswith=term) | Q(external_id__startswith=term))
    return [*contact_ids_of(term), *begins.values_list("pk", flat=True)[:FOUND]]
