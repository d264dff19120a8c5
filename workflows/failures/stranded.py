"""Enrolments that nothing would ever bring on: there should be none. The doctor looks for them, and mends them.

Each kind has its promise elsewhere; what is looked for here is a row that breaks it, made by a hand in the database, a
restored backup, or a fault of ours. Work that merely waits for a bell is no such row: the sweep finds that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction

from workflows import admission, pausing, timers

GRACE = timedelta(minutes=5)  # a resumption, or a queue for places, is no trouble until it has taken so long
MOST_BATCHES = 2000

_HELD_FOR_NOBODY = """
      FROM workflow_enrolments e JOIN workflows w ON w.id = e.workflow_id
     WHERE e.held AND (NOT e.capped OR e.state = 'active') AND w.status = 'live'
       AND w.updated_at < %(before)s AND e.wake_at < %(before)s
"""
_WANTING = """
      FROM workflow_enrolments e JOIN workflows w ON w.id = e.workflow_id
      JOIN workflow_versions v ON v.id = w.live_version_id
     WHERE e.state = 'pending' AND w.status = 'live' AND e.entered_at < %(before)s
       AND (v.definition #>> '{settings,concurrency_cap}') IS NULL
       AND NOT EXISTS (SELECT FROM enrolment_brakes b WHERE b.workflow_id = w.id AND b.released_at IS NULL)
       AND NOT EXISTS (SELECT FROM enrolment_brakes b WHERE b.workflow_id = w.id AND b.released_at > %(before)s)
"""
_PAST_ADMISSION = """
      FROM workflow_enrolments e WHERE e.capped AND e.state = 'waiting' AND NOT e.held
"""
_HELD_THOUGH_OVER = """
      FROM workflow_enrolments e WHERE e.held AND e.state NOT IN ('active', 'waiting')
"""
_WITHOUT_A_LETTER = """
      FROM workflow_enrolments e JOIN workflow_journal j ON j.enrolment_id = e.id AND j.seq = e.seq
     WHERE e.state = 'failed' AND j.outcome = 'failed'
       AND NOT EXISTS (SELECT FROM dead_letters l WHERE l.enrolment_id = e.id AND l.seq = e.seq)
"""


@dataclass(frozen=True)
class Kind:
    """`found`: the FROM and WHERE of the rows; `words` follow their number."""

    words: str
    found: str
    mend: Callable[[datetime], None]


def look(*, now: datetime) -> list[str]:
    """One sentence for each kind of which there are some."""
    troubles = []
    with connection.cursor() as cursor:
        for kind in KINDS:
            cursor.execute(f"SELECT count(*) {kind.found}", {"before": now - GRACE})
            if count := cursor.fetchone()[0]:
                troubles.append(f"{count} {kind.words}")
    # twice, since a wait may begin between the look at its row and the look at the index
    if timers.count_missing(now=now) and (forgotten := timers.count_missing(now=now)):
        troubles.append(f"{forgotten} waits are missing from the timer index")
    return troubles


def mend(*, now: datetime) -> None:
    """All of them. Not to be called inside a transaction."""
    for kind in KINDS:
        kind.mend(now)
    if timers.count_missing(now=now):
        timers.rebuild(now=now)


def _release(now: datetime) -> None:
    """Room in the lane is the engine's to make: what has none waits for the next bell."""
    for _ in range(MOST_BATCHES):
        if not pausing.release_batch():
            return


def _admit(now: datetime) -> None:
    for lane in admission.LANES:
        for _ in range(MOST_BATCHES):
            if not admission.admit_batch(lane=lane):
                break


def _hold(now: datetime) -> None:
    _change("UPDATE workflow_enrolments SET held = true WHERE id IN (SELECT e.id {found})", _PAST_ADMISSION, now)


def _let_go(now: datetime) -> None:
    _change("UPDATE workflow_enrolments SET held = false WHERE id IN (SELECT e.id {found})", _HELD_THOUGH_OVER, now)


def _write_letters(now: datetime) -> None:
    _change(
        """
        INSERT INTO dead_letters (enrolment_id, workflow_id, version_id, contact_id, step, seq, category, error, trace,
                                  attempts, failed_at)
        SELECT e.id, e.workflow_id, e.version_id, e.contact_id, e.step, e.seq,
               COALESCE(j.detail ->> 'category', 'permanent'), COALESCE(j.detail ->> 'error', ''), '',
               GREATEST(e.attempts, 1), j.at {found}
        ON CONFLICT DO NOTHING
        """,
        _WITHOUT_A_LETTER,
        now,
    )


def _change(statement: str, found: str, now: datetime) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement.format(found=found), {"before": now - GRACE})


KINDS = (
    Kind("are laid aside in a journey that is not paused", _HELD_FOR_NOBODY, _release),
    Kind("want into a journey that would let them in", _WANTING, _admit),
    Kind("wait past the places of a journey with a cap", _PAST_ADMISSION, _hold),
    Kind("are held though they are not under way", _HELD_THOUGH_OVER, _let_go),
    Kind("failed and are in no list of failed steps", _WITHOUT_A_LETTER, _write_letters),
)
