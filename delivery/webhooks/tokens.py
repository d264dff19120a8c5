"""Tokens that may come with one content only: where a signature covers its token and not the body, whoever has seen one
genuine request could else send any body with it. The same content again is what a vendor does when it heard no answer,
and does nothing."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from django.db import connection

from delivery.webhooks.base import Once

FIRST, AGAIN, ABUSED = "first", "again", "abused"
TOLERANCE = timedelta(hours=24)  # a signature that is older is refused, so an older token need not be remembered
KEPT = 2 * TOLERANCE
BATCH = 1000


def use(provider: str, once: Once, *, now: datetime) -> str:
    """FIRST, AGAIN (the same content) or ABUSED, inside the caller's transaction: whoever comes at the same time with
    the same token waits for its end."""
    token, content = (hashlib.sha256(each).digest() for each in (once.token.encode(), once.content))
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO webhook_tokens (provider, token_hash, content_hash, used_at) VALUES (%s, %s, %s, %s)"
            " ON CONFLICT (provider, token_hash) DO NOTHING",
            [provider, token, content, now],
        )
        if cursor.rowcount:
            return FIRST
        cursor.execute(
            "SELECT content_hash FROM webhook_tokens WHERE provider = %s AND token_hash = %s", [provider, token]
        )
        return AGAIN if bytes(cursor.fetchone()[0]) == content else ABUSED


def prune_batch(now: datetime) -> bool:
    """Forget those whose signature is too old to be believed again. Returns whether there may be more."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            DELETE FROM webhook_tokens WHERE id IN (
                SELECT id FROM webhook_tokens WHERE used_at < %s ORDER BY used_at LIMIT %s FOR UPDATE SKIP LOCKED)
            """,
            [now - KEPT, BATCH],
        )
        return cursor.rowcount == BATCH
