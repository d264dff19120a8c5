"""Events as the API records them, and workers that come exactly in time."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from django.db import transaction

from contacts import events
from scoring.crossings import comparing, recheck
from scoring.models import ScoreCheck

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


def record(
    contact_ids: int | Sequence[int],
    kind: str,
    at: datetime = NOW,
    occurred_at: datetime | None = None,
    lane: str = "urgent",
    **properties: Any,
) -> None:
    """As the API would, at the instant `at`."""
    ids = [contact_ids] if isinstance(contact_ids, int) else contact_ids
    with transaction.atomic():
        rows = [
            events.NewEvent(kind, occurred_at or at, contact_id, properties, {}, key=str(uuid.uuid4()))
            for contact_id in ids
        ]
        events.record_batch(rows, source="api", now=at, lane=lane)


def check(at: datetime = NOW, **more: Any) -> bool:
    """One batch of checks that are due."""
    with transaction.atomic():
        return comparing.check_batch(now=at, **more)


def ask(at: datetime) -> bool:
    """One page of those whom new rules ask for."""
    with transaction.atomic():
        return recheck.ask_batch(now=at)


def work_off(at: datetime) -> None:
    """Everything that is due, and everybody whom a declaration or an activation asks for."""
    while check(at) or ask(at):
        pass


def check_at(contact_id: int) -> datetime | None:
    return ScoreCheck.objects.filter(contact_id=contact_id).values_list("check_at", flat=True).first()


def let_time_pass(contact_id: int, until: datetime) -> None:
    """Every check at its own instant, as the sweeper would if it were never late."""
    while (at := check_at(contact_id)) is not None and at <= until:
        assert check(at)
