"""What this floor hears from the floors below; each receiver is one line: ring a doorbell, or count."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.dispatch import receiver

from contacts import doorbell
from contacts.signals import Merged, contacts_erased, contacts_merged, events_recorded, merges_undone
from workflows import exits
from workflows import merges as merging


@receiver(contacts_erased, dispatch_uid="workflows lets the erased go")
def let_the_erased_go(*, contact_ids: Sequence[int], now: datetime, **_: Any) -> None:
    exits.leave_of(contact_ids, reason="contact_erased", now=now)


@receiver(events_recorded, dispatch_uid="workflows.intake")
def ring_intake(sender: Any, lane: str, **_: Any) -> None:
    doorbell.ring_on_commit("workflows.intake", lane)


@receiver(contacts_merged, dispatch_uid="workflows.merges")
def choose_among_enrolments(*, merges: Sequence[Merged], now: datetime, **_: Any) -> None:
    merging.choose(merges, now=now)


@receiver(merges_undone, dispatch_uid="workflows.undone merges")
def part_enrolments(*, merges: Sequence[Merged], **_: Any) -> None:
    merging.part(merges)
