"""A step raised. Who made a batch fail is found by halving it; they alone are tried again later, a few times, and then
end as failed, in the dead letters. Everybody else goes on."""

from __future__ import annotations

import json
import logging
import random
import traceback
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import redis
from django.conf import settings
from django.db import DatabaseError, connection, transaction

from contacts import clock
from contacts.transactions import sqlstate
from workflows import admission, condition_nodes, signals, timers, variants, versions
from workflows.moves import Claimed
from workflows.signals import Moved
from workflows.steps.base import TryLater

log = logging.getLogger(__name__)

TRANSIENT, PERMANENT = "transient", "permanent"
# A fault of the data or the program fails the second time as well; once more, in case two were in each other's way.
MOST_TRIES = {TRANSIENT: 5, PERMANENT: 2}
# seconds after the first, second, … failure, spread by half: together about six minutes
PAUSES = (1.0, 7.0, 49.0, 300.0)
TRACE_FRAMES = 12  # the innermost ones


def passes_by_itself(error: Exception) -> bool:
    """Whether it is no enrolment's fault: the connection, a lock, a timeout. The whole batch is tried again."""
    return isinstance(error, DatabaseError) and sqlstate(error)[:2] not in {"21", "22", "23", "42"}


def category_of(error: Exception) -> str:
    """`transient`: the network, a provider, whatever asked to be tried later. `permanent`: the data, the program."""
    return TRANSIENT if isinstance(error, OSError | redis.RedisError | TryLater) else PERMANENT


def isolate(rows: Sequence[Claimed], advance: Callable[[Sequence[Claimed]], None]) -> None:
    """After a failed batch: each (version, step) by itself, halved as long as it fails, until only the guilty are left;
    `advance` does a part of it in a transaction of its own. Raises what is nobody's fault."""
    groups: dict[tuple[int, str], list[Claimed]] = {}
    for row in rows:
        groups.setdefault((row.version_id, row.step), []).append(row)
    todo: list[list[Claimed]] = list(groups.values())
    while todo:
        part = todo.pop()
        try:
            advance(part)
        except Exception as error:
            if passes_by_itself(error):
                raise
            if len(part) > 1:
                middle = len(part) // 2
                todo += [part[:middle], part[middle:]]
            else:
                log.error("enrolment %s failed at step %s (%s)", part[0].id, part[0].step, type(error).__name__)
                fail(part[0], error)


def fail(row: Claimed, error: Exception) -> None:
    """A step raised for this enrolment alone: it is tried again later, or ends as failed and lies in the dead letters,
    if it was tried as often as an error of this kind may be. In a transaction of its own."""
    category = category_of(error)
    tries = row.attempts + 1
    with transaction.atomic():
        now = clock.now()
        if tries < MOST_TRIES[category]:
            _try_later(row, tries, now)
        else:
            _give_up(row, error, category, tries, now)


def pause(tries: int) -> timedelta:
    """How long to wait after so many failed tries."""
    seconds = PAUSES[min(tries, len(PAUSES)) - 1] * random.uniform(0.5, 1.5)  # noqa: S311  (jitter, not a secret)
    return timedelta(seconds=seconds) / settings.TIME_SPEED


def _try_later(row: Claimed, tries: int, now: datetime) -> None:
    """It stays where it is: a capped one keeps its place."""
    wake_at = now + pause(tries)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE workflow_enrolments SET attempts = %s, wake_at = %s
             WHERE id = %s AND seq = %s AND state IN ('active', 'waiting') RETURNING lane
            """,
            [tries, wake_at, row.id, row.seq],
        )
        for (lane,) in cursor.fetchall():
            transaction.on_commit(partial(timers.remember, [(row.id, wake_at)], lane=lane))


def _give_up(row: Claimed, error: Exception, category: str, tries: int, now: datetime) -> None:
    """`waiting_since` stays: whoever is tried again by hand goes on with the wait that it was in."""
    version = versions.load([row.version_id])[row.version_id]
    step_type = version.steps[row.step].kind.key if row.step in version.steps else ""
    kind = type(error).__name__
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH stood AS (
                SELECT id, state FROM workflow_enrolments
                 WHERE id = %(id)s AND seq = %(seq)s AND state IN ('active', 'waiting') FOR UPDATE),
            failed AS (
                UPDATE workflow_enrolments e
                   SET state = 'failed', exit_reason = 'failed', finished_at = %(now)s, seq = seq + 1, held = false,
                       attempts = %(tries)s
                  FROM stood WHERE e.id = stood.id
                RETURNING e.id, seq, contact_id, workflow_id, version_id, step, lane, capped, stood.state AS was),
            written AS (
                INSERT INTO workflow_journal
                       (enrolment_id, seq, contact_id, version_id, step, step_type, outcome, port, detail, at)
                SELECT id, seq, contact_id, version_id, step, %(step_type)s, 'failed', '', %(detail)s, %(now)s
                  FROM failed),
            kept AS (
                INSERT INTO dead_letters (enrolment_id, workflow_id, version_id, contact_id, step, seq, category, error,
                                          trace, attempts, failed_at)
                SELECT id, workflow_id, version_id, contact_id, step, seq, %(category)s, %(error)s, %(trace)s,
                       %(tries)s, %(now)s FROM failed)
            SELECT lane, capped, was FROM failed
            """,
            {
                "id": row.id,
                "seq": row.seq,
                "now": now,
                "tries": tries,
                "step_type": step_type,
                "category": category,
                "error": kind,
                "trace": trace_of(error),
                "detail": json.dumps({"error": kind, "category": category, "tries": tries}),
            },
        )
        failed = cursor.fetchone()
    if failed is None:
        return
    lane, capped, was = failed
    place = version.workflow_id, version.id
    taken = variants.of({row.id: version.id}).get(row.id, ())
    deltas = (
        Moved(*place, "", "failed", 1),
        Moved(*place, row.step, was, -1),
        *(Moved(*place, "", "failed", 1, each.name) for each in taken),
    )
    signals.enrolments_moved.send(sender=None, deltas=deltas, now=now)
    condition_nodes.mark([row.contact_id], lane=lane, now=now)
    if capped:
        admission.ring()


def trace_of(error: BaseException) -> str:
    """Where it happened: kinds of errors, files, lines and functions, and no word of a message or a value, which may be
    personal data. The cause first, as Python tells it."""
    parts: list[str] = []
    seen: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in seen:
        seen.add(id(at))
        frames = traceback.extract_tb(at.__traceback__)[-TRACE_FRAMES:]
        lines = [f"  {_file(frame.filename)}:{frame.lineno} {frame.name}" for frame in frames]
        parts.append("\n".join([f"{type(at).__module__}.{type(at).__qualname__}", *lines]))
        at = at.__cause__ or (None if at.__suppress_context__ else at.__context__)
    return "\n".join(reversed(parts))


def _file(name: str) -> str:
    """Its path within the project or the library, not within the machine."""
    path = Path(name)
    if path.is_relative_to(settings.BASE_DIR):
        path = path.relative_to(settings.BASE_DIR)
    parts = path.parts
    return "/".join(parts[parts.index("site-packages") + 1 :] if "site-packages" in parts else parts[-4:])
