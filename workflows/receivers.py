"""What this floor hears from the floors below; each receiver is one line: ring a doorbell, or count."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.dispatch import receiver

from contacts import doorbell
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
from workflows import merges as merging
from workflows.entry import date_entries
from workflows.watches import exits, watch_checks


@receiver(contacts_erased, dispatch_uid="workflows lets the erased go")
def let_the_erased_go(*, contact_ids: Sequence[int], now: datetime, **_: Any) -> None:
    exits.leave_of(contact_ids, reason="contact_erased", now=now)


@receiver(events_recorded, dispatch_uid="workflows.intake")
def ring_intake(sender: Any, events: Sequence[RecordedEvent], lane: str, **_: Any) -> None:
    if any(event.pending for event in events):
        doorbell.ring_on_commit("workflows.intake", lane)


@receiver(contacts_changed, dispatch_uid="workflows look again after changes")
def look_again_after_changes(
    *, contact_ids: Sequence[int], kinds: frozenset[str], lane: str, now: datetime, **_: Any
) -> None:
    watch_checks.after_changes(contact_ids, kinds, lane=lane, now=now)


@receiver(contacts_merged, dispatch_uid="workflows look again after merges")
@receiver(merges_undone, dispatch_uid="workflows look again after undone merges")
def look_again_after_merges(*, merges: Sequence[Merged], now: datetime, **_: Any) -> None:
    both = [contact_id for merge in merges for contact_id in (merge.survivor_id, merge.absorbed_id)]
    watch_checks.after_merges(both, now=now)


@receiver(events_went_back, dispatch_uid="workflows look again after events that came late")
def look_again_after_late_events(*, contact_ids: Sequence[int], now: datetime, **_: Any) -> None:
    watch_checks.after_merges(contact_ids, now=now)


@receiver(contacts_changed, dispatch_uid="workflows looks for dates")
def look_for_dates(*, contact_ids: Sequence[int], kinds: frozenset[str], now: datetime, **_: Any) -> None:
    if kinds & {"attribute", "field", "created"}:
        date_entries.look_again(contact_ids, now=now)


@receiver(contacts_merged, dispatch_uid="workflows.merges")
def choose_among_enrolments(*, merges: Sequence[Merged], now: datetime, **_: Any) -> None:
    merging.choose(merges, now=now)


@receiver(merges_undone, dispatch_uid="workflows.undone merges")
def part_enrolments(*, merges: Sequence[Merged], **_: Any) -> None:
    merging.part(merges)
