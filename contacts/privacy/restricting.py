"""Restricting the processing of a person (GDPR, article 18): kept, and not worked with.

It is a consent like the others (`data_processing`): the record says since when, and the last word holds. What came in
while it was restricted is never made up for."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.db import connection

from contacts import audit, authority, consent
from contacts.consent import DENIED, GRANTED, Consent
from contacts.privacy import deeds


def restrict(contact_id: int, *, actor: str, source: str, now: datetime) -> bool:
    """In the caller's transaction. Returns whether it changed anything. `source`: api · admin."""
    return _say(contact_id, DENIED, actor=actor, source=source, now=now)


def unrestrict(contact_id: int, *, actor: str, source: str, now: datetime) -> bool:
    return _say(contact_id, GRANTED, actor=actor, source=source, now=now)


def barred(contact_ids: Collection[int]) -> dict[int, str]:
    """Those of these contacts whom nothing new may begin for, and why: contact_erased · restricted. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT c.id, CASE WHEN c.erased_at IS NULL THEN 'restricted' ELSE 'contact_erased' END
              FROM unnest(%s::bigint[]) AS wanted(contact_id)
              JOIN contacts c ON c.id = wanted.contact_id
              LEFT JOIN LATERAL (
                   SELECT state FROM consent_records r
                    WHERE r.contact_id = c.id AND r.category = 'data_processing' AND r.topic = ''
                    ORDER BY r.id DESC LIMIT 1) last ON true
             WHERE c.erased_at IS NOT NULL OR last.state = 'denied'
            """,
            [sorted(set(contact_ids))],
        )
        return dict(cursor.fetchall())


def _say(contact_id: int, state: str, *, actor: str, source: str, now: datetime) -> bool:
    authority.require("contacts.restrict_contact")
    said = [Consent(contact_id, "data_processing", state, evidence={"actor": actor})]
    if not consent.record(said, source=source, now=now, only_changes=True):
        return False
    restricted = state == DENIED
    deeds.note(contact_id, deeds.RESTRICT if restricted else deeds.UNRESTRICT, actor=actor, now=now)
    before, after = {"restricted": not restricted}, {"restricted": restricted}
    audit.note("contact.restriction_changed", of=("contact", contact_id), before=before, after=after)
    return True
