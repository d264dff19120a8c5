"""News for the floors above. Senders do not know who listens; listeners run inside the sender's transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.dispatch import Signal


@dataclass(frozen=True)
class RecordedEvent:
    """An event that was stored. `processed`: consent allows it to count; `pending`: intake will match it."""

    event_id: int
    contact_id: int
    type: str
    occurred_at: datetime
    processed: bool
    pending: bool


# events: tuple[RecordedEvent, ...] (never empty), lane: "urgent" | "bulk", now: datetime
events_recorded = Signal()

# contact_ids: tuple[int, ...], kinds: frozenset of "attribute", "tag", "field", now: datetime
contacts_changed = Signal()
