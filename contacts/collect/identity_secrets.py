"""The identity secrets of write keys, as they lie in the database (see `contacts.sealing`). Those that were made before
they were sealed lie there as they are, and are read, until `reseal_secrets` has been run."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import connection

from contacts.sealing import Box, Unreadable, is_sealed

_box = Box(b"carillon identity secrets")


def kept(secret: str) -> str:
    """What is stored of it; of none, nothing."""
    return _box.seal(secret) if secret else ""


def opened(stored: str) -> str:
    """Raises Unreadable."""
    return _box.unseal(stored) if is_sealed(stored) else stored


def reseal(*, dry_run: bool) -> Iterator[tuple[str, bool]]:
    """Seal each under the present key, in the caller's transaction. Each key's prefix, and whether its secret could be
    read."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, prefix, identity_secret FROM api_keys WHERE identity_secret <> '' ORDER BY id FOR NO KEY UPDATE"
        )
        for key_id, prefix, stored in cursor.fetchall():
            try:
                anew = kept(opened(stored))
            except Unreadable:
                yield prefix, False
                continue
            if not dry_run:
                cursor.execute("UPDATE api_keys SET identity_secret = %s WHERE id = %s", [anew, key_id])
            yield prefix, True
