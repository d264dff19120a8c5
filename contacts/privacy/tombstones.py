"""Tombstones: keyed hashes of the names that erased people had. Enough to know that a name was erased and that its
suppression still stands, not enough to know the name: without the key, nobody can try names out.

The key is PRIVACY_KEY, or one derived from SECRET_KEY. A tombstone cannot be made again with another key, since the
name is gone; so earlier keys stay known as fallbacks, and `config.checks` refuses an installation that lost one."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from datetime import datetime

from django.conf import settings
from django.db import connection

from contacts.identifiers import canonical

_PURPOSE = b"carillon.tombstones"

Name = tuple[str, str]  # kind and canonical value, as in contact_identities


def keys() -> list[bytes]:
    """The key that new tombstones are made with, and then those of earlier ones."""
    given = [settings.PRIVACY_KEY, *settings.PRIVACY_KEY_FALLBACKS, settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return [hmac.new(key.encode(), _PURPOSE, hashlib.sha256).digest() for key in given if key]


def fingerprint(key: bytes) -> str:
    return hashlib.sha256(b"fingerprint:" + key).hexdigest()[:12]


def hashes(kind: str, value: str) -> list[bytes]:
    """What a name may be known by, the present key's first. `value` is canonical."""
    return [_hash(key, kind, value) for key in keys()]


def write(names: Iterable[Name], *, now: datetime) -> int:
    """Remember these names, in the caller's transaction. Returns how many nobody had remembered."""
    key = keys()[0]
    wanted = sorted({(kind, _hash(key, kind, value)) for kind, value in names})
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO erased_identities (kind, key_hash, made_with, erased_at)
            SELECT r.kind, r.key_hash, %s, %s FROM unnest(%s::text[], %s::bytea[]) AS r (kind, key_hash)
                ON CONFLICT (kind, key_hash) DO NOTHING
            """,
            [fingerprint(key), now, [kind for kind, _ in wanted], [key_hash for _, key_hash in wanted]],
        )
        return cursor.rowcount


def erased_at(kind: str, value: str) -> datetime | None:
    """When somebody of this name was erased, however it is spelt; None: never."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT max(erased_at) FROM erased_identities WHERE kind = %s AND key_hash = ANY(%s)",
            [kind, hashes(kind, canonical(kind, value))],
        )
        return cursor.fetchone()[0]


def is_erased(kind: str, value: str) -> bool:
    return erased_at(kind, value) is not None


def unknown_fingerprints() -> set[str]:
    """The fingerprints of keys that tombstones were made with and that are not among `keys`."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('erased_identities')")
        if cursor.fetchone()[0] is None:  # the first migration is still to come
            return set()
        cursor.execute("SELECT DISTINCT made_with FROM erased_identities")
        return {made_with for (made_with,) in cursor.fetchall()} - {fingerprint(key) for key in keys()}


def _hash(key: bytes, kind: str, value: str) -> bytes:
    return hmac.new(key, f"{kind}:{value}".encode("utf-8", "surrogatepass"), hashlib.sha256).digest()
