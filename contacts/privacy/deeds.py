"""Who was exported, erased or restricted, when and at whose wish: append-only, and without a word of what was there."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from contacts.models import PrivacyDeed

EXPORT, ERASE, RESTRICT, UNRESTRICT = "export", "erase", "restrict", "unrestrict"


def note(contact_id: int, deed: str, *, actor: str, counts: Mapping[str, int] | None = None, now: datetime) -> None:
    """In the caller's transaction. `actor`: `key:<name>` · `staff:<user>` · `command` · `retention`."""
    PrivacyDeed.objects.create(contact_id=contact_id, deed=deed, actor=actor, counts=dict(counts or {}), at=now)
