"""What the page of a contact tells beside the timeline: tags, lists, segments, consent, names, and what changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from contacts.models import ConsentRecord, ContactChange
from contacts.pages.cells import words

HISTORY = 50  # rows of each history that are shown


@dataclass(frozen=True)
class Place:
    """A list or a segment that the contact is in."""

    id: int
    slug: str
    name: str
    since: datetime


def tags_of(contact_ids: list[int]) -> dict[int, list[str]]:
    """The tag names of each contact, in alphabetical order. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT c.contact_id, array_agg(t.name ORDER BY t.name) FROM contact_tags c JOIN tags t ON t.id = c.tag_id
             WHERE c.contact_id = ANY(%s) GROUP BY c.contact_id
            """,
            [contact_ids],
        )
        return dict(cursor.fetchall())


def lists_of(contact_id: int) -> list[Place]:
    return _places(
        "SELECT l.id, l.slug, l.name, m.joined_at FROM list_members m JOIN lists l ON l.id = m.list_id", contact_id
    )


def segments_of(contact_id: int) -> list[Place]:
    return _places(
        "SELECT s.id, s.slug, s.name, m.entered_at FROM segment_members m JOIN segments s ON s.id = m.segment_id",
        contact_id,
    )


def _places(select: str, contact_id: int) -> list[Place]:
    with connection.cursor() as cursor:
        cursor.execute(f"{select} WHERE m.contact_id = %s ORDER BY name", [contact_id])
        return [Place(*row) for row in cursor.fetchall()]


def consents_of(contact_id: int) -> list[dict[str, Any]]:
    """What holds now of each category and topic: the last word on it; a later denial of all marketing is one, too."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH last AS (
                SELECT DISTINCT ON (category, topic) category, topic, state, recorded_at, source, id
                  FROM consent_records WHERE contact_id = %s ORDER BY category, topic, id DESC)
            SELECT l.category, l.topic, holds.state, holds.recorded_at, holds.source
              FROM last l
              LEFT JOIN last whole ON whole.category = l.category AND whole.topic = '' AND whole.state = 'denied'
                                  AND whole.id > l.id
              JOIN last holds ON holds.id = COALESCE(whole.id, l.id)
             ORDER BY l.category, l.topic
            """,
            [contact_id],
        )
        rows = cursor.fetchall()
    return [
        {"what": words(category) + (f": {topic}" if topic else ""), "state": state, "at": at, "source": source}
        for category, topic, state, at, source in rows
    ]


def consent_history(contact_id: int) -> list[dict[str, Any]]:
    """What was said of consent, the last word first: what, state, when, by whom, and what proves it."""
    rows = ConsentRecord.objects.filter(contact_id=contact_id).order_by("-id")[:HISTORY]
    return [
        {
            "what": words(row.category) + (f": {row.topic}" if row.topic else ""),
            "state": row.state,
            "at": row.recorded_at,
            "source": row.source,
            "evidence": list(row.evidence.items()) if isinstance(row.evidence, dict) else [],
        }
        for row in rows
    ]


def changes_of(contact_id: int) -> list[ContactChange]:
    """What changed in fields and attributes, the newest first."""
    rows = ContactChange.objects.filter(contact_id=contact_id, kind__in=("field", "attribute"))
    return list(rows.order_by("-changed_at", "-id")[:HISTORY])


def conflicts_of(contact_id: int) -> list[ContactChange]:
    """Names that were said of this contact and belong to somebody else, the newest first."""
    rows = ContactChange.objects.filter(contact_id=contact_id, kind="identity_conflict")
    return list(rows.order_by("-changed_at", "-id")[:HISTORY])
