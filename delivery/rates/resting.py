"""A provider that takes nothing rests, for longer each time; who can take over does, and nobody's attempt is lost.

What provably did not start says so: no connection, a 503 that means "not accepted", a 429 for all of it, or a fault of
its own code; and a batch of some size of which every message is in doubt, for a provider that hangs makes nothing but
doubts. After LEAST batches in a row of which the provider took nothing it rests; when the rest is over one worker tries
one small batch, and the others go on as if it rested still. Anything that it answers otherwise ends all that."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection

from delivery import signals
from delivery.providers import faults
from delivery.providers.base import ACCEPTED, IN_DOUBT, REJECTED, RETRY, STOP, Answer
from delivery.signals import TroubleNote

log = logging.getLogger(__name__)

LEAST = 2  # batches in a row
TRIED = 5  # messages after a rest
ENOUGH_DOUBTS = 5  # of a batch, and nothing else: no accident of one connection
REST = 5  # times ESP_BACKOFF_MS: the first rest; each one after it is twice as long
LONGEST_REST = timedelta(minutes=10)
SPREAD = 0.25  # of a rest, on top of it: not all installations that share an account come back at once
TOO_MUCH = frozenset({"rate_limited", "over_quota"})  # later, says the provider, and that is about us
AWAY = TOO_MUCH | {"no_connection", "unavailable"}


@dataclass(frozen=True)
class Health:
    """What was known of a provider before a batch: how often in a row it had failed, and whether this batch is the one
    that tries it after a rest."""

    failures: int = 0
    is_trial: bool = False


def says(answers: Iterable[Answer], before: Health) -> bool | None:
    """Whether the provider took part: True where it answered after it had failed, False where it could not be reached,
    had too much of all of it or failed itself, None where there is nothing to write down. Pure."""
    given = list(answers)
    if any(answer.reason == faults.FAULT for answer in given):
        return False
    if any(_was_reached(answer) for answer in given):
        return True if before.failures else None
    is_away = any(_is_away(answer) for answer in given)
    hangs = len(given) >= ENOUGH_DOUBTS and all(answer.kind == IN_DOUBT for answer in given)
    return False if is_away or hangs else None


def _is_away(answer: Answer) -> bool:
    return answer.kind == RETRY and answer.reason in AWAY


def _was_reached(answer: Answer) -> bool:
    return answer.kind in {ACCEPTED, REJECTED, STOP} or (answer.kind == RETRY and answer.reason not in AWAY)


def note(name: str, was_reached: bool, before: Health, *, now: datetime, at_least: float = 0.0) -> None:
    """Write down what `says` found, in the caller's transaction. `at_least`: seconds that the provider asked for."""
    if was_reached:
        _is_well(name)
    else:
        _failed(name, before, now=now, at_least=timedelta(seconds=at_least))


def _is_well(name: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE providers SET failures = 0, resting_until = NULL WHERE name = %s AND failures > 0", [name]
        )
        if cursor.rowcount:
            log.warning("provider %s takes part again", name)


def _failed(name: str, before: Health, *, now: datetime, at_least: timedelta) -> None:
    """Batches that were under way when the rest began say nothing new."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO providers (name, failures) VALUES (%(name)s, 1)
                ON CONFLICT (name) DO UPDATE SET failures = LEAST(providers.failures + 1, 1000)
             WHERE %(is_trial)s OR providers.resting_until IS NULL OR providers.resting_until <= %(now)s
            RETURNING failures
            """,
            {"name": name, "is_trial": before.is_trial, "now": now},
        )
        row = cursor.fetchone()
        if row is None or row[0] < LEAST:
            return
        resting = max(rest(row[0]) * random.uniform(1.0, 1.0 + SPREAD), at_least)  # noqa: S311  (jitter, not a secret)
        cursor.execute("UPDATE providers SET resting_until = %s WHERE name = %s", [now + resting, name])
    log.warning(
        "provider %s took nothing, %d batches in a row: it rests for %.1f s", name, row[0], resting.total_seconds()
    )
    if row[0] == LEAST:
        signals.delivery_trouble.send(
            sender=None, trouble=(TroubleNote("provider_rests", name, {"batches": row[0]}),), now=now
        )


def rest(failures: int) -> timedelta:
    """How long after so many batches in a row, LEAST at the fewest. Pure."""
    first = timedelta(milliseconds=REST * settings.ESP_BACKOFF_MS)
    return min(first * 2 ** min(failures - LEAST, 20), LONGEST_REST)


def try_again(name: str, *, now: datetime) -> bool:
    """Whether the caller is the one who tries a provider whose rest is over. For the others it rests on meanwhile, also
    if nothing is heard of the caller again. Commits by itself."""
    until = now + timedelta(seconds=settings.ESP_TIMEOUT_SECONDS + settings.SEND_LEASE_SECONDS)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE providers SET resting_until = %s WHERE name = %s AND failures >= %s AND resting_until <= %s",
            [until, name, LEAST, now],
        )
        return cursor.rowcount == 1
