"""What this floor hears from the floors below: it counts, in the sender's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.dispatch import receiver

from analytics.counting import counted, counters, taken
from analytics.health import delays
from delivery.signals import FeedbackNote, MessageOutcome, feedback_recorded, messages_decided, messages_enqueued
from workflows.signals import Moved, enrolments_moved, waits_ended


@receiver(enrolments_moved, dispatch_uid="analytics counts enrolments")
def count_enrolments(*, deltas: Sequence[Moved], now: datetime, **_: Any) -> None:
    counters.add(counted.of_enrolments(deltas), now=now)


@receiver([messages_enqueued, messages_decided], dispatch_uid="analytics counts messages")
def count_messages(*, outcomes: Sequence[MessageOutcome], now: datetime, **_: Any) -> None:
    counters.add(counted.of_messages(outcomes, variants=taken.of_messages(outcomes)), now=now)


@receiver(feedback_recorded, dispatch_uid="analytics counts feedback")
def count_feedback(*, feedback: Sequence[FeedbackNote], now: datetime, **_: Any) -> None:
    counters.add(counted.of_feedback(feedback, variants=taken.of_messages(feedback)), now=now)


@receiver(waits_ended, dispatch_uid="analytics measures timers")
def measure_timers(*, lane: str, late: Sequence[timedelta], now: datetime, **_: Any) -> None:
    delays.note(delays.TIMER, lane, late, now=now)
