"""Addresses: what one is known by, and the rows on which gate and suppression meet.

A row is known by a plain hash of its address, which stands beside it in clear (`shown`). When its person is erased, the
words go and the hash is replaced by one that only our key can make (`contacts.privacy.tombstones`), so what was
suppressed stays so for ever and nobody can try addresses out. Whoever looks for an address looks for both."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from datetime import datetime

from django.db import connection

from contacts.identifiers import canonical_email
from contacts.privacy import tombstones


def key(channel: str, address: str) -> bytes:
    """What an address is known by: the same for every way of writing it."""
    return hashlib.sha256(f"{channel}:{_canonical(channel, address)}".encode("utf-8", "surrogatepass")).digest()


def keys(channel: str, address: str) -> list[bytes]:
    """All that it may be known by: `key` first, then what it is known by once its person was erased."""
    return [key(channel, address), *tombstones.hashes(f"address:{channel}", _canonical(channel, address))]


def rows(*, channel: str, given: Collection[str], now: datetime) -> dict[str, int]:
    """The ids of these addresses' rows, which are made where there are none. Two statements."""
    known_by = {address: keys(channel, address) for address in given}
    if not known_by:
        return {}
    shown = {names[0]: (address, names) for address, names in known_by.items()}
    in_order = sorted(shown)  # two batches that make the same rows must not wait for each other
    columns = [[shown[plain][1][place] for plain in in_order] for place in range(len(shown[in_order[0]][1]))]
    names = ", ".join(f"name_{place}" for place in range(len(columns)))
    asked = ", ".join(f"r.name_{place}" for place in range(len(columns)))
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            INSERT INTO addresses (channel, key_hash, shown, created_at)
            SELECT %s, r.name_0, r.shown, %s
              FROM unnest(%s::text[]{", %s::bytea[]" * len(columns)}) AS r (shown, {names})
             WHERE NOT EXISTS (SELECT 1 FROM addresses a WHERE a.channel = %s AND a.key_hash IN ({asked}))
             ORDER BY r.name_0
                ON CONFLICT (channel, key_hash) DO NOTHING
            """,
            [channel, now, [shown[plain][0] for plain in in_order], *columns, channel],
        )
        cursor.execute(
            "SELECT key_hash, id FROM addresses WHERE channel = %s AND key_hash = ANY(%s::bytea[])",
            [channel, [name for column in columns for name in column]],
        )
        ids = {bytes(key_hash): address_id for key_hash, address_id in cursor.fetchall()}
    return {address: next(ids[name] for name in names if name in ids) for address, names in known_by.items()}


def forget(*, channel: str, given: Collection[str]) -> int:
    """Leave of these addresses no more than tombstones, under their locks, in the caller's transaction. Returns how
    many were known in clear. What is suppressed stays so."""
    known_by = {names[0]: names[1] for names in (keys(channel, address) for address in given)}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, key_hash FROM addresses WHERE channel = %s AND key_hash = ANY(%s::bytea[])"
            " ORDER BY id FOR NO KEY UPDATE",
            [channel, sorted(known_by)],
        )
        found = [(address_id, known_by[bytes(key_hash)]) for address_id, key_hash in cursor.fetchall()]
        cursor.execute(
            """
            UPDATE addresses a SET key_hash = r.tombstone, shown = ''
              FROM unnest(%s::bigint[], %s::bytea[]) AS r (id, tombstone) WHERE a.id = r.id
            """,
            [[address_id for address_id, _ in found], [tombstone for _, tombstone in found]],
        )
    return len(found)


def lock(address_ids: Iterable[int]) -> None:
    """Hold these rows until the transaction ends, taken in the order of their ids. What is read in a later statement is
    read after everybody who held one of them before."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT FROM addresses WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE", [sorted(set(address_ids))]
        )


def _canonical(channel: str, address: str) -> str:
    return canonical_email(address) if channel == "email" else address.strip()
