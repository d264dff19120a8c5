"""One person: the contact that lives, and all that were merged into it."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.db import connection

from contacts.identifiers import canonical
from contacts.privacy.tombstones import Name


class NobodyThere(LookupError):
    """There is no such contact, or it was erased."""


def of(contact_id: int) -> list[int]:
    """The ids of everybody who is one with this contact, the living one first; empty where nobody has the id."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH RECURSIVE up AS (
                SELECT id, merged_into_id, 0 AS height FROM contacts WHERE id = %s
                UNION ALL
                SELECT c.id, c.merged_into_id, up.height + 1 FROM up JOIN contacts c ON c.id = up.merged_into_id
                 WHERE up.height < 1000),
            down AS (
                SELECT id, 0 AS depth FROM up WHERE merged_into_id IS NULL
                UNION ALL
                SELECT c.id, down.depth + 1 FROM down JOIN contacts c ON c.merged_into_id = down.id
                 WHERE down.depth < 1000)
            SELECT id FROM down ORDER BY depth, id
            """,
            [contact_id],
        )
        return [row[0] for row in cursor.fetchall()]


def names(contact_ids: Sequence[int]) -> set[Name]:
    """Every identifier that means them, and what their profiles show, in canonical form."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT kind, value FROM contact_identities WHERE contact_id = ANY(%(contacts)s)
             UNION SELECT shown.kind, shown.value FROM contacts c
             CROSS JOIN LATERAL (VALUES ('email', c.email), ('external_id', c.external_id), ('phone', c.phone))
                   AS shown(kind, value)
             WHERE c.id = ANY(%(contacts)s) AND shown.value <> ''
            """,
            {"contacts": list(contact_ids)},
        )
        return {(kind, canonical(kind, value)) for kind, value in cursor.fetchall()}


def is_erased(contact_id: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT erased_at IS NOT NULL FROM contacts WHERE id = %s", [contact_id])
        row = cursor.fetchone()
    return row is not None and row[0]


def named(name: str) -> int:
    """The id of the contact that somebody means by a public id, an email, an external id or a telephone number, in this
    order. Raises NobodyThere."""
    with connection.cursor() as cursor:
        if public_id := _uuid(name):
            cursor.execute("SELECT id FROM contacts WHERE public_id = %s AND erased_at IS NULL", [public_id])
            if row := cursor.fetchone():
                return row[0]
        for kind in ("email", "external_id", "phone"):
            cursor.execute(
                "SELECT contact_id FROM contact_identities WHERE kind = %s AND value = %s",
                [kind, canonical(kind, name)],
            )
            if row := cursor.fetchone():
                return row[0]
    raise NobodyThere("there is no such contact")


def _uuid(name: str) -> UUID | None:
    try:
        return UUID(name.strip())
    except ValueError:
        return None
