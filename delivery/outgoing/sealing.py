"""The secrets of outgoing webhooks, as they lie in the database (see `contacts.sealing`)."""

from __future__ import annotations

from contacts.sealing import Box, Unreadable

_box = Box(b"carillon webhook endpoint secrets")
seal, unseal, resealed = _box.seal, _box.unseal, _box.resealed

__all__ = ["Unreadable", "resealed", "seal", "unseal"]
