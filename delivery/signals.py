"""News for the floors above. Senders do not know who listens; listeners run inside the sender's transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.dispatch import Signal


@dataclass(frozen=True)
class MessageOutcome:
    """What became of a message.

    `kind`: queued · accepted · rejected · in_doubt · undetermined · suppressed · capped · cancelled · replayed. Each is
    told once per message; `in_doubt` may still be followed by accepted, rejected or undetermined, and a late answer of
    the provider may lead from `in_doubt` back into the queue, so `in_doubt` may be told again. `replayed` takes a
    `rejected` back: the message is in the queue once more, and what becomes of it is told anew."""

    message_id: int
    contact_id: int
    workflow_id: int | None
    version_id: int | None
    step: str
    kind: str
    reason: str = ""
    template_version_id: int | None = None


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
    template_version_id: int | None = None


@dataclass(frozen=True)
class TroubleNote:
    """Something goes wrong that somebody should look at.

    `kind`: provider_stopped · provider_rests (`about`: its name) · brake · warm_up_held (`about`: a sending domain).
    `why`: what was seen, in words and figures; nothing of a person."""

    kind: str
    about: str
    why: Mapping[str, Any]


messages_enqueued = Signal()  # outcomes: tuple[MessageOutcome, ...] of kind "queued", now
messages_decided = Signal()  # outcomes: tuple[MessageOutcome, ...], now; sent with their contact_send_log rows
feedback_recorded = Signal()  # feedback: tuple[FeedbackNote, ...], now
delivery_trouble = Signal()  # trouble: tuple[TroubleNote, ...], now; told once, when it begins
