"""The order in which contacts are locked, so that nobody who locks several of them waits in a circle."""

from __future__ import annotations

from collections.abc import Collection

from django.db import connection


def lock_contacts(contact_ids: Collection[int]) -> None:
    """Hold these contacts until the end of the caller's transaction, those with the smallest ids first. What decides
    is to be read in a later statement: this one sees the past that it waited for."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM contacts WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE", [sorted(set(contact_ids))]
        )
