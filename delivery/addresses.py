"""Addresses: what one is known by, and the rows on which gate and suppression meet."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from datetime import datetime

from django.db import connection

from contacts.identifiers import canonical_email


def key(channel: str, address: str) -> bytes:
    """What an address is known by: the same for every way of writing it, and telling nobody whose it is."""
    canonical = canonical_email(address) if channel == "email" else address.strip()
    return hashlib.sha256(f"{channel}:{canonical}".encode("utf-8", "surrogatepass")).digest()


def rows(*, channel: str, given: Collection[str], now: datetime) -> dict[str, int]:
    """The ids of these addresses' rows, which are made where there are none. Two statements."""
    keys = {address: key(channel, address) for address in given}
    if not keys:
        return {}
    shown = {key_hash: address for address, key_hash in keys.items()}
    in_order = sorted(shown)  # two batches that make the same rows must not wait for each other
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO addresses (channel, key_hash, shown, created_at)
            SELECT %s, r.key_hash, r.shown, %s FROM unnest(%s::bytea[], %s::text[]) AS r (key_hash, shown)
             WHERE NOT EXISTS (SELECT 1 FROM addresses a WHERE a.channel = %s AND a.key_hash = r.key_hash)
             ORDER BY r.key_hash
                ON CONFLICT (channel, key_hash) DO NOTHING
            """,
            [channel, now, in_order, [shown[each] for each in in_order], channel],
        )
        cursor.execute(
            "SELECT key_hash, id FROM addresses WHERE channel = %s AND key_hash = ANY(%s::bytea[])", [channel, in_order]
        )
        ids = {bytes(key_hash): address_id for key_hash, address_id in cursor.fetchall()}
    return {address: ids[key_hash] for address, key_hash in keys.items()}


def lock(address_ids: Iterable[int]) -> None:
    """Hold these rows until the transaction ends, taken in the order of their ids. What is read in a later statement is
    read after everybody who held one of them before."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT FROM addresses WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE", [sorted(set(address_ids))]
        )
