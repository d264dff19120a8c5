"""What this floor hears from the floor below."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

from django.db import transaction
from django.dispatch import receiver

from contacts.consent import Consent
from contacts.signals import (
    RecordedEvent,
    consent_withdrawn,
    contacts_erased,
    events_recorded,
    opt_in_confirmed,
    opt_in_requested,
)
from delivery import opt_in_mail, withdrawals
from delivery.outgoing import hearing
from delivery.rates import pulses
from delivery.signals import FeedbackNote, feedback_recorded


@receiver(consent_withdrawn, dispatch_uid="delivery waits for what was claimed before a withdrawal")
def drain_after_withdrawal(*, withdrawn: Sequence[Consent], **_: Any) -> None:
    contact_ids = {each.contact_id for each in withdrawn if each.category in withdrawals.ENDS_MARKETING}
    if contact_ids:
        transaction.on_commit(partial(withdrawals.drain, contact_ids))


@receiver(contacts_erased, dispatch_uid="delivery forgets the erased")
def forget_the_erased(*, contact_ids: Sequence[int], now: datetime, **_: Any) -> None:
    withdrawals.forget(contact_ids, now=now)
    transaction.on_commit(partial(withdrawals.drain, contact_ids))


@receiver(opt_in_requested, dispatch_uid="delivery asks for the confirmation")
def ask_for_confirmation(*, contact_id: int, request_id: int, nonce: str, now: datetime, **_: Any) -> None:
    opt_in_mail.enqueue(contact_id=contact_id, request_id=request_id, nonce=nonce, now=now)


@receiver(opt_in_confirmed, dispatch_uid="delivery releases who confirmed")
def release_who_confirmed(*, contact_id: int, topics: Sequence[str], now: datetime, **_: Any) -> None:
    opt_in_mail.release(contact_id=contact_id, topics=topics, now=now)


@receiver(events_recorded, dispatch_uid="delivery queues what endpoints hear of")
def queue_for_endpoints(*, events: Sequence[RecordedEvent], now: datetime, **_: Any) -> None:
    hearing.queue(events, now=now)


@receiver(feedback_recorded, dispatch_uid="delivery counts what brakes a domain")
def count_pulses(*, feedback: Sequence[FeedbackNote], now: datetime, **_: Any) -> None:
    pulses.add(feedback, now=now)
