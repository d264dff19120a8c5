"""Somebody has seen an alert and takes care of it: nobody is told of it again for a time."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction

from analytics.models import Alert
from contacts import audit, authority

LONGEST = timedelta(days=30)


def silence(alert_id: int, *, until: datetime, by: str, now: datetime) -> bool:
    """Nobody is told of this alert, or of the next one about the same thing, before `until`; that it became critical,
    and that it is over, is told all the same. False: it is over already. Raises ValueError for a time that is past."""
    if not now < until <= now + LONGEST:
        raise ValueError("a silence ends within thirty days, and not before it begins")
    return _write(alert_id, silenced_until=until, silenced_at=now, silenced_by=by)


def end(alert_id: int) -> bool:
    """As if nobody had silenced it. False: it is over already."""
    return _write(alert_id, silenced_until=None, silenced_at=None, silenced_by="")


def _write(alert_id: int, **silence: datetime | str | None) -> bool:
    """Raises NotAllowed."""
    authority.require("analytics.change_alert")
    with transaction.atomic():
        is_open = Alert.objects.filter(pk=alert_id, closed_at=None).update(**silence) == 1
        if is_open:
            until = silence["silenced_until"]
            audit.note("alert.silenced", of=("alert", alert_id), after={"until": str(until) if until else None})
    return is_open
