"""What is known of contacts when something comes in that names them: read once, for whoever asks who is meant and for
whoever asks whether it may be used."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import NamedTuple

from django.db import connection

from contacts.merged import follow

SHOWN = ("external_id", "email", "phone")  # kinds of names that a contact has one of, in a column of its own


class Known(NamedTuple):
    """A living contact. `has`: the kinds of SHOWN that it has; `tracking`: its last word on that, None without one;
    `restricted`: it denied the processing of its data. A plain tuple: there is one for each contact of a batch."""

    contact_id: int
    has: frozenset[str] = frozenset()
    has_zone: bool = False
    region: str = ""
    tracking: str | None = None
    restricted: bool = False
    is_erased: bool = False


def read(contact_ids: Iterable[int]) -> dict[int, Known]:
    """By the id that was asked for: a merged contact answers with the one that lives; ids that nobody has are left out.
    One statement, and one more for every link of the longest chain of merges."""
    return {asked: known for asked, (_, known) in follow(contact_ids, _read).items()}


def _read(contact_ids: Sequence[int]) -> dict[int, tuple[int | None, Known]]:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT c.merged_into_id, c.id, c.external_id <> '', c.email <> '', c.phone <> '',
                   c.timezone <> '', c.region, tracking.state, COALESCE(processing.state = 'denied', false),
                   c.erased_at IS NOT NULL
              FROM contacts c
              LEFT JOIN LATERAL (
                   SELECT state FROM consent_records r
                    WHERE r.contact_id = c.id AND r.category = 'tracking' AND r.topic = ''
                    ORDER BY r.id DESC LIMIT 1) tracking ON true
              LEFT JOIN LATERAL (
                   SELECT state FROM consent_records r
                    WHERE r.contact_id = c.id AND r.category = 'data_processing' AND r.topic = ''
                    ORDER BY r.id DESC LIMIT 1) processing ON true
             WHERE c.id = ANY(%s)
            """,
            [list(contact_ids)],
        )
        return {row[1]: (row[0], Known(row[1], _kinds(row[2], row[3], row[4]), *row[5:])) for row in cursor.fetchall()}


@cache
def _kinds(*has: bool) -> frozenset[str]:
    return frozenset(kind for kind, held in zip(SHOWN, has, strict=True) if held)
