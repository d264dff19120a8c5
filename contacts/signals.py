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

# contact_ids: tuple[int, ...], kinds: frozenset of "attribute", "tag", "list", "field", "created",
# lane: "urgent" | "bulk", now: datetime
contacts_changed = Signal()

# withdrawn: tuple[contacts.consent.Consent, ...] (never empty; all of them denials), now: datetime.
# Sent inside the transaction; what has to wait for the commit says so itself.
consent_withdrawn = Signal()

# survivor_id, absorbed_id, merge_id: int, now: datetime. Sent inside the transaction of the merge, before rows move.
contacts_merged = Signal()

# contact_ids: tuple[int, ...] (a person and those who were merged into them), now: datetime.
# Sent inside the transaction of the erasure, before rows are blanked.
contacts_erased = Signal()
