"""News for the floors above. Senders do not know who listens; listeners run inside the sender's transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from django.dispatch import Signal


class RecordedEvent(NamedTuple):
    """An event that was stored. `processed`: consent allows it to count; `pending`: somebody awaits such
    events, and intake will match it."""

    event_id: int
    contact_id: int
    type: str
    occurred_at: datetime
    processed: bool
    pending: bool


# events: tuple[RecordedEvent, ...] (never empty), lane: "urgent" | "bulk", now: datetime
events_recorded = Signal()

# contact_ids: tuple[int, ...], kinds: frozenset of "attribute", "tag", "list", "field", "created", "segment",
# "consent", and "new" (all of them came to be in this transaction: nobody else can have met them),
# lane: "urgent" | "bulk", now: datetime
contacts_changed = Signal()

# withdrawn: tuple[contacts.consent.Consent, ...] (never empty; all of them denials), now: datetime.
# Sent inside the transaction; what has to wait for the commit says so itself.
consent_withdrawn = Signal()

# contact_id, request_id: int, nonce: str (the message carries it, the link is made of it), now: datetime. Sent inside
# the transaction.
opt_in_requested = Signal()

# contact_id: int, topics: tuple[str, ...] (empty: all of marketing), now: datetime. Sent inside the transaction, before
# the consent is recorded.
opt_in_confirmed = Signal()


@dataclass(frozen=True)
class Merged:
    """The absorbed contact lives on in the survivor."""

    merge_id: int
    survivor_id: int
    absorbed_id: int


# merges: tuple[Merged, ...] (never empty; nobody twice), now: datetime. Sent inside the transaction of the merge, under
# the locks of both contacts, before rows move; again before rows that came late follow them.
contacts_merged = Signal()

# merges: tuple[Merged, ...], now: datetime. Sent inside the transaction, after rows have moved back.
merges_undone = Signal()

# contact_ids: tuple[int, ...], now: datetime. Sent inside the transaction in which events went from some of these
# contacts to others of them, though none of them was merged or parted just now: they had come late.
events_went_back = Signal()

# contact_ids: tuple[int, ...] (a person and those who were merged into them), now: datetime.
# Sent inside the transaction of the erasure, before rows are blanked.
contacts_erased = Signal()
