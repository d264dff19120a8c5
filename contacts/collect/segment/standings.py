"""Who the names in Segment messages mean, and how much is known of them: what `trust` decides by."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import connection

from contacts.collect.segment.trust import Name, Standing
from contacts.merged import follow


def look_up(names: Sequence[Name]) -> dict[Name, Standing]:
    """The living contacts that these canonical names mean; names that nobody has are left out. Two statements, and one
    more for every link of the longest chain of merges."""
    if not names:
        return {}
    wanted = sorted(set(names))
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT wanted.kind, wanted.value, found.contact_id
              FROM unnest(%s::text[], %s::text[]) AS wanted(kind, value)
             CROSS JOIN LATERAL (
                   SELECT contact_id FROM contact_identities i
                    WHERE i.kind = wanted.kind AND i.value = wanted.value LIMIT 1) found
            """,
            [[kind for kind, _ in wanted], [value for _, value in wanted]],
        )
        meant = {(kind, value): contact_id for kind, value, contact_id in cursor.fetchall()}
    living = of(list(meant.values()))
    return {name: living[contact_id] for name, contact_id in meant.items() if contact_id in living}


def of(contact_ids: Sequence[int]) -> dict[int, Standing]:
    """The same of contacts, by the id that was asked for; the merged are followed, the erased left out."""
    return {asked: Standing(contact_id, *what) for asked, (contact_id, what) in follow(contact_ids, _read).items()}


def _read(contact_ids: Sequence[int]) -> dict[int, tuple[int | None, tuple[bool, bool, bool]]]:
    """Known, history, stranger: see `Standing`. (A time zone is no profile: any event fills an empty one.)"""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT c.id, c.merged_into_id, names.known, profile.none,
                   NOT names.known OR profile.none AND c.email = '' AND c.phone = '' AND NOT EXISTS (
                       SELECT FROM contact_identities i
                        WHERE i.contact_id = c.id AND i.kind NOT IN ('anonymous_id', 'external_id'))
                   AND NOT EXISTS (SELECT FROM contact_events e WHERE e.contact_id = c.id AND e.source <> 'browser')
              FROM contacts c
             CROSS JOIN LATERAL (
                   SELECT c.external_id <> '' OR c.email <> '' OR c.phone <> '' OR EXISTS (
                          SELECT FROM contact_identities i
                           WHERE i.contact_id = c.id AND i.kind <> 'anonymous_id') AS known) names
             CROSS JOIN LATERAL (
                   SELECT c.attributes = '{}' AND c.locale = '' AND c.region = '' AND c.owner_email = ''
                          AND c.frequency_cap IS NULL
                          AND NOT EXISTS (SELECT FROM contact_changes h
                                           WHERE h.contact_id = c.id AND h.kind IN ('attribute', 'tag', 'list'))
                          AND NOT EXISTS (SELECT FROM contact_tags t WHERE t.contact_id = c.id)
                          AND NOT EXISTS (SELECT FROM list_members m WHERE m.contact_id = c.id)
                          AND NOT EXISTS (SELECT FROM consent_records r WHERE r.contact_id = c.id) AS none) profile
             WHERE c.id = ANY(%s) AND c.erased_at IS NULL
            """,
            [list(contact_ids)],
        )
        return {row[0]: (row[1], (row[2], row[3], row[4])) for row in cursor.fetchall()}
