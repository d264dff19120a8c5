"""News for the floors above. Senders do not know who listens; listeners run inside the sender's transaction."""

from __future__ import annotations

from dataclasses import dataclass

from django.dispatch import Signal


@dataclass(frozen=True)
class MessageOutcome:
    """What became of a message.

    `kind`: queued · accepted · rejected · in_doubt · undetermined · suppressed · capped · cancelled. Each is told once
    per message; `in_doubt` may still be followed by accepted, rejected or undetermined, and a late answer of the
    provider may lead from `in_doubt` back into the queue, so `in_doubt` alone may be told again."""

    message_id: int
    contact_id: int
    workflow_id: int | None
    version_id: int | None
    step: str
    kind: str
    reason: str = ""


@dataclass(frozen=True)
class FeedbackNote:
    """Something that happened to a message, in the words of `delivery.vocabulary`.

    `first`: nothing of this kind, by a human or by a machine as this one is, was known of the message before."""

    message_id: int
    contact_id: int
    workflow_id: int | None
    version_id: int | None
    step: str
    kind: str
    is_machine: bool
    first: bool


messages_enqueued = Signal()  # outcomes: tuple[MessageOutcome, ...] of kind "queued", now
messages_decided = Signal()  # outcomes: tuple[MessageOutcome, ...], now; sent with their contact_send_log rows
feedback_recorded = Signal()  # feedback: tuple[FeedbackNote, ...], now
