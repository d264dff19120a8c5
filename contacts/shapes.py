"""What the world sees of a contact."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from django.db import connection

from contacts.collect.people import WHOLE_MARKETING
from contacts.models import Contact


def shapes(contacts: Sequence[Contact]) -> list[dict[str, Any]]:
    """Contracted shapes of these contacts: two statements, whatever their number."""
    ids = [contact.pk for contact in contacts]
    together, consents = _together(ids), _consents(ids)
    plain = ("external_id", "email", "phone", "timezone", "locale", "region", "owner_email", "attributes")
    return [
        {
            "id": str(contact.public_id),
            **{name: getattr(contact, name) for name in plain},
            "tags": together["tags", contact.pk],
            "lists": together["lists", contact.pk],
            "segments": together["segments", contact.pk],
            "frequency_cap": contact.frequency_cap,
            "consents": consents[contact.pk],
        }
        for contact in contacts
    ]


_TOGETHER = """
    SELECT 'tags' AS what, contact_id, name FROM contact_tags JOIN tags ON tags.id = tag_id
     WHERE contact_id = ANY(%(ids)s)
     UNION ALL
    SELECT 'lists', contact_id, slug FROM list_members JOIN lists ON lists.id = list_id WHERE contact_id = ANY(%(ids)s)
     UNION ALL
    SELECT 'segments', contact_id, slug FROM segment_members JOIN segments ON segments.id = segment_id
     WHERE contact_id = ANY(%(ids)s)
     ORDER BY what, contact_id, name
"""


def _together(ids: Sequence[int]) -> dict[tuple[str, int], list[str]]:
    """(tags, lists or segments; contact id) -> the names of these."""
    found: dict[tuple[str, int], list[str]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(_TOGETHER, {"ids": list(ids)})
        for what, contact_id, name in cursor.fetchall():
            found[what, contact_id].append(name)
    return found


def _consents(ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """What holds of each category and topic: the last word, and of all marketing for a topic that was agreed to before
    all was denied."""
    found: dict[int, dict[str, Any]] = defaultdict(dict)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH last AS (
                SELECT DISTINCT ON (contact_id, category, topic) contact_id, category, topic, state, id
                  FROM consent_records WHERE contact_id = ANY(%s) ORDER BY contact_id, category, topic, id DESC)
            SELECT l.contact_id, l.category, l.topic, COALESCE(whole.state, l.state)
              FROM last l
              LEFT JOIN last whole ON whole.contact_id = l.contact_id AND whole.category = l.category
                                  AND whole.topic = '' AND whole.state = 'denied' AND whole.id > l.id
            """,
            [list(ids)],
        )
        for contact_id, category, topic, state in cursor.fetchall():
            if category == "marketing":
                found[contact_id].setdefault(category, {})[topic or WHOLE_MARKETING] = state
            else:
                found[contact_id][category] = state
    return found
