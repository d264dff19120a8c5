"""Who belongs to which share: a contact falls into one of 10,000 buckets, always the same one for the same salt, and
independently for different salts. Pure."""

from __future__ import annotations

import hashlib

BUCKETS = 10_000


def bucket(salt: str, contact_id: int) -> int:
    """0 to 9,999, evenly spread."""
    digest = hashlib.blake2b(f"{salt}:{contact_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) % BUCKETS


def in_share(salt: str, contact_id: int, percent: float) -> bool:
    """Whether the contact is among that share of all. A larger share contains the smaller ones."""
    return bucket(salt, contact_id) < round(percent * BUCKETS / 100)
