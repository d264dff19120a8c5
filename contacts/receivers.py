"""What this floor hears from itself: what happened to contacts may change the segments they are in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.dispatch import receiver

from contacts import idempotency
from contacts.audiences import checks
from contacts.audiences.definitions import EVERYTHING
from contacts.signals import (
    Merged,
    RecordedEvent,
    contacts_changed,
    contacts_erased,
    contacts_merged,
    events_recorded,
    events_went_back,
    merges_undone,
)


@receiver(events_recorded, dispatch_uid="segments ask for checks after events")
def check_after_events(*, events: Sequence[RecordedEvent], lane: str, now: datetime, **_: Any) -> None:
    checks.after_events(events, lane=lane, now=now)


@receiver(contacts_changed, dispatch_uid="segments ask for checks after changes")
def check_after_changes(
    *, contact_ids: Sequence[int], kinds: frozenset[str], lane: str, now: datetime, **_: Any
) -> None:
    checks.mark(contact_ids, kinds, lane=lane, now=now)


@receiver(contacts_merged, dispatch_uid="segments ask for checks after merges")
@receiver(merges_undone, dispatch_uid="segments ask for checks after undone merges")
def check_after_merges(*, merges: Sequence[Merged], now: datetime, **_: Any) -> None:
    both = [contact_id for merge in merges for contact_id in (merge.survivor_id, merge.absorbed_id)]
    checks.mark(both, {EVERYTHING}, lane="urgent", now=now)


@receiver(contacts_erased, dispatch_uid="segments ask for checks after erasures")
@receiver(events_went_back, dispatch_uid="segments ask for checks after events that came late")
def check_everything(*, contact_ids: Sequence[int], now: datetime, **_: Any) -> None:
    checks.mark(contact_ids, {EVERYTHING}, lane="urgent", now=now)


@receiver(contacts_erased, dispatch_uid="answers about the erased are not repeated")
def forget_answers(*, contact_ids: Sequence[int], **_: Any) -> None:
    idempotency.blank_of(contact_ids)
