"""What this floor hears from the floor below: whoever did something may have crossed the threshold."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.dispatch import receiver

from contacts.signals import (
    Merged,
    RecordedEvent,
    contacts_changed,
    contacts_merged,
    events_recorded,
    events_went_back,
    merges_undone,
)
from scoring import merges as merging
from scoring.crossings import checks
from scoring.lifecycle import progression


@receiver(events_recorded, dispatch_uid="scoring asks for checks after events")
def check_after_events(*, events: Sequence[RecordedEvent], lane: str, now: datetime, **_: Any) -> None:
    counted = [event for event in events if event.processed]
    if counted:
        # first of all, as moves lock contacts: who locks a contact and its check does so in this order
        progression.after_events(counted, lane=lane, now=now)
        checks.after_events(
            contact_ids=[event.contact_id for event in counted],
            types=[event.type for event in counted],
            lane=lane,
            now=now,
        )


@receiver(contacts_changed, dispatch_uid="scoring asks for checks after changes")
def check_after_changes(*, contact_ids: Sequence[int], kinds: frozenset[str], now: datetime, **_: Any) -> None:
    checks.after_changes(contact_ids=contact_ids, kinds=kinds, lane="bulk", now=now)


@receiver(contacts_merged, dispatch_uid="scoring unites sides and stages")
def unite(*, merges: Sequence[Merged], now: datetime, **_: Any) -> None:
    merging.unite(merges, now=now)


@receiver(merges_undone, dispatch_uid="scoring parts sides and stages")
def part(*, merges: Sequence[Merged], now: datetime, **_: Any) -> None:
    merging.part(merges, now=now)


@receiver(events_went_back, dispatch_uid="scoring asks for checks after events that came late")
def check_after_late_events(*, contact_ids: Sequence[int], now: datetime, **_: Any) -> None:
    checks.after_merges(contact_ids=contact_ids, now=now)
