"""A key gets a new secret, and for a time opens with the old one as well, so that a program can change over without a
gap. What a key may do, whose it is and how much it may ask stay as they are: only the secret is another."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from contacts import access, audit, authority
from contacts.access import BadKeyRequest

LONGEST_OVERLAP = timedelta(days=90)
_MAY = "contacts.change_apikey"


@dataclass(frozen=True)
class _Row:
    name: str
    kind: str
    prefix: str
    key_hash: bytes
    former_until: datetime | None
    requests_per_minute: int | None
    account_id: int | None
    account: str


def rotate(key_id: int, *, overlap: timedelta, now: datetime) -> str:
    """Give it a new secret in the caller's transaction and return the whole new key, which nobody can ever read again
    (unless it is a browser's). The secret that it had opens for `overlap` (none at all: it is refused at once).

    Raises NotAllowed; BadKeyRequest where it opens nothing any more, or where an earlier secret still opens: three at a
    time, and nobody knows which one a program has."""
    authority.require(_MAY)
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise BadKeyRequest(f"the former secret may go on for at most {LONGEST_OVERLAP.days} days")
    row = _hold(key_id, now)
    if row.former_until is not None and row.former_until > now:
        raise BadKeyRequest("its former secret still opens: end that first, once every program has the new one")
    prefix, key = access.new_secret(row.kind)
    former: tuple[Any, Any, Any] = (row.prefix, row.key_hash, now + overlap) if overlap else (None, None, None)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE api_keys SET prefix = %s, key_hash = %s, public_key = %s, rotated_at = %s, former_prefix = %s,
                   former_hash = %s, former_until = %s, former_used_at = NULL
             WHERE id = %s
            """,
            [prefix, access.hashed(key), key if row.kind == "browser" else "", now, *former, key_id],
        )
    after = {"prefix": prefix, "former_until": former[2].isoformat() if former[2] else None}
    audit.note("api_key.rotated", of=("api_key", prefix), name=row.name, before={"prefix": row.prefix}, after=after)
    return key


def end_overlap(key_id: int, *, now: datetime) -> bool:
    """From now on the former secret is refused, in the caller's transaction; whether there was one that opened. Raises
    NotAllowed."""
    authority.require(_MAY)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE api_keys SET former_prefix = NULL, former_hash = NULL, former_until = NULL
             WHERE id = %s AND former_until > %s RETURNING prefix, name
            """,
            [key_id, now],
        )
        row = cursor.fetchone()
    if row is None:
        return False
    audit.note("api_key.overlap_ended", of=("api_key", row[0]), name=row[1])
    return True


def give(key_id: int, *, requests_per_minute: int | None, service_account: int | None, now: datetime) -> None:
    """Say anew how much it may ask (None: what the installation allows) and to which service account it belongs (its
    id, or None), in the caller's transaction. Raises NotAllowed, BadKeyRequest."""
    authority.require(_MAY)
    access.check_limit(requests_per_minute)
    row = _hold(key_id, now)
    moves = service_account != row.account_id
    account = access.account_at_work(service_account) if moves else row.account
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE api_keys SET requests_per_minute = %s, service_account_id = %s WHERE id = %s",
            [requests_per_minute, service_account, key_id],
        )
    before, after = audit.changed(
        {"requests_per_minute": row.requests_per_minute, "service_account": row.account or None},
        {"requests_per_minute": requests_per_minute, "service_account": account or None},
    )
    if after:
        audit.note("api_key.changed", of=("api_key", row.prefix), name=row.name, before=before, after=after)


def _hold(key_id: int, now: datetime) -> _Row:
    """The row of a key that opens something, held until the end of the transaction. Raises BadKeyRequest."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT k.name, k.kind, k.prefix, k.key_hash, k.former_until, k.requests_per_minute, k.service_account_id,
                   COALESCE(a.name, ''), k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > %s)
              FROM api_keys k LEFT JOIN service_accounts a ON a.id = k.service_account_id
             WHERE k.id = %s FOR NO KEY UPDATE OF k
            """,
            [now, key_id],
        )
        found = cursor.fetchone()
    if found is None:
        raise BadKeyRequest("there is no such key")
    *row, opens = found
    if not opens:
        raise BadKeyRequest("it was revoked or has expired: make a new one")
    return _Row(*row)
