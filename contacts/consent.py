"""What contacts agreed to: an append-only record, of which the last word holds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection

from contacts.locking import lock_contacts

GRANTED, DENIED = "granted", "denied"
ALL_TOPICS = ""

# Names that consent banners give to what we call tracking. Our own name decides alone where it is said.
_TRACKING = "tracking"
_TRACKING_ELSEWHERE = frozenset({"advertising", "analytics"})


@dataclass(frozen=True)
class Consent:
    """`category`: tracking · marketing · data_processing; `topic`: of marketing only, empty for all of it;
    `state`: granted · denied; `evidence`: what proves it (a form, an address, a text version), as JSON."""

    contact_id: int
    category: str
    state: str
    topic: str = ALL_TOPICS
    evidence: Mapping[str, Any] | None = None


def record(consents: Sequence[Consent], *, source: str, now: datetime, only_changes: bool = False) -> set[int]:
    """Append them in the caller's transaction and say of which contacts any was written.

    Locks the contacts first: whoever decides under the same locks (the gate of delivery) either decides before, or
    waits and reads what is recorded here. `source`: api · import · browser · preferences · admin. With `only_changes`,
    what repeats the last word of the same contact, category and topic is left out, so that an import may run again;
    the grant of a topic is no repetition when all marketing was denied since."""
    assert connection.in_atomic_block, "a record needs the caller's transaction"
    if not consents:
        return set()
    lock_contacts([consent.contact_id for consent in consents])
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO consent_records (contact_id, category, topic, state, recorded_at, source, evidence)
            SELECT said.contact_id, said.category, said.topic, said.state, %s, %s, said.evidence::jsonb
              FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[])
                   WITH ORDINALITY AS said(contact_id, category, topic, state, evidence, position)
              LEFT JOIN LATERAL (
                   SELECT id, state FROM consent_records r
                    WHERE r.contact_id = said.contact_id AND r.category = said.category AND r.topic = said.topic
                    ORDER BY r.id DESC LIMIT 1) own ON %s
             WHERE own.state IS DISTINCT FROM said.state
                OR said.state = 'granted' AND EXISTS (
                   SELECT FROM consent_records whole
                    WHERE whole.contact_id = said.contact_id AND whole.category = said.category AND whole.topic = ''
                      AND whole.id > own.id AND whole.state = 'denied')
             ORDER BY said.position
            RETURNING contact_id
            """,
            [
                now,
                source,
                [consent.contact_id for consent in consents],
                [consent.category for consent in consents],
                [consent.topic for consent in consents],
                [consent.state for consent in consents],
                [None if consent.evidence is None else json.dumps(dict(consent.evidence)) for consent in consents],
                only_changes,
            ],
        )
        return {contact_id for (contact_id,) in cursor.fetchall()}


def tracking_state(contact_ids: Sequence[int]) -> dict[int, str]:
    """granted or denied, of those who ever said either."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT wanted.contact_id, last.state
              FROM unnest(%s::bigint[]) AS wanted(contact_id)
             CROSS JOIN LATERAL (
                   SELECT state FROM consent_records r
                    WHERE r.contact_id = wanted.contact_id AND r.category = 'tracking' AND r.topic = ''
                    ORDER BY r.id DESC LIMIT 1) last
            """,
            [sorted(set(contact_ids))],
        )
        return dict(cursor.fetchall())


def marketing_denied(contact_ids: Sequence[int], topics: Sequence[str]) -> set[tuple[int, str]]:
    """Of the pairs (contact_ids[i], topics[i]), those to whom marketing on that topic may not be sent. One statement.

    A topic's own last word holds, unless all marketing was denied after it; without one, the last word on all
    marketing holds; without any, the installation decides (`MARKETING_CONSENT`: opt_out or opt_in)."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT wanted.contact_id, wanted.topic
              FROM unnest(%s::bigint[], %s::text[]) AS wanted(contact_id, topic)
              LEFT JOIN LATERAL (
                   SELECT id, state FROM consent_records r
                    WHERE r.contact_id = wanted.contact_id AND r.category = 'marketing' AND r.topic = ''
                    ORDER BY r.id DESC LIMIT 1) whole ON true
              LEFT JOIN LATERAL (
                   SELECT id, state FROM consent_records r
                    WHERE r.contact_id = wanted.contact_id AND r.category = 'marketing' AND r.topic = wanted.topic
                    ORDER BY r.id DESC LIMIT 1) own ON wanted.topic <> ''
             WHERE CASE WHEN whole.state = 'denied' AND (own.id IS NULL OR own.id < whole.id) THEN 'denied'
                        ELSE COALESCE(own.state, whole.state, %s) END = 'denied'
            """,
            [list(contact_ids), list(topics), DENIED if settings.MARKETING_CONSENT == "opt_in" else GRANTED],
        )
        return set(cursor.fetchall())


def tracking_said(context: Mapping[str, Any]) -> str | None:
    """What an event's own context says about tracking, or None.

    `context.consent.categoryPreferences`: `tracking` decides where it is given; otherwise Advertising and Analytics,
    of which one refusal is enough. Pure."""
    said = context.get("consent")
    preferences = said.get("categoryPreferences") if isinstance(said, Mapping) else None
    if not isinstance(preferences, Mapping):
        return None
    answers = {name.lower(): value for name, value in preferences.items() if isinstance(value, bool)}
    if _TRACKING in answers:
        return GRANTED if answers[_TRACKING] else DENIED
    relevant = [answers[name] for name in _TRACKING_ELSEWHERE if name in answers]
    if not relevant:
        return None
    return GRANTED if all(relevant) else DENIED
