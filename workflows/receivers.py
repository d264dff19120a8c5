"""What this floor hears from the floors below; each receiver is one line: ring a doorbell, or count."""

from typing import Any

from django.dispatch import receiver

from contacts import doorbell
from contacts.signals import events_recorded


@receiver(events_recorded, dispatch_uid="workflows.intake")
def ring_intake(sender: Any, lane: str, **_: Any) -> None:
    doorbell.ring_on_commit("workflows.intake", lane)
