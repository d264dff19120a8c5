"""People, what they did, and the rules that judge it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Sequence
from datetime import datetime

import pytest
from django.db import connection, transaction

from contacts.models import Contact
from scoring.rulesets import versions
from tests.scoring.oracle import Happened

EVENTS = """
    INSERT INTO contact_events (contact_id, recorded_contact_id, type, occurred_at, recorded_at, properties, source,
                                processed, key_hash)
    SELECT contact_id, contact_id, type, occurred_at, now(), properties::jsonb, 'api', processed, key_hash
      FROM unnest(%s::bigint[], %s::text[], %s::timestamptz[], %s::text[], %s::boolean[], %s::bytea[])
           AS e(contact_id, type, occurred_at, properties, processed, key_hash)
"""


def write_history(contact_id: int, history: Sequence[Happened], *, processed: bool = True) -> None:
    """Put events of any age into the log, without telling anybody."""
    with connection.cursor() as cursor:
        cursor.execute(
            EVENTS,
            [
                [contact_id] * len(history),
                [event.type for event in history],
                [event.at for event in history],
                [json.dumps(_properties(event)) for event in history],
                [processed and not event.held for event in history],
                [uuid.uuid4().bytes for _ in history],
            ],
        )


def _properties(event: Happened) -> dict[str, object]:
    return {"size": event.size, "is_machine": True} if event.machine else {"size": event.size}


@pytest.fixture
def person() -> Callable[..., int]:
    """Makes a contact; returns its id."""

    def make(**fields: object) -> int:
        return Contact.objects.create(**fields).pk

    return make


@pytest.fixture
def activated(now: datetime) -> Callable[..., int]:
    """Activates rules; returns the ruleset's id."""

    def activate(*rules: dict, **settings: object) -> int:
        with transaction.atomic():
            return versions.activate(rules=list(rules), now=settings.pop("now", now), **settings)

    return activate


def rule(event: str, points: float, **more: object) -> dict:
    """A rule for every event of a type."""
    return {"name": f"{event} {points:+g}", "signal": {"event": event}, "points": points, **more}
