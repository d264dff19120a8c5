"""What a batch of the engine writes: the moves of its enrolments, their journal, their counts and their effects."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from django.db import connection, transaction

from contacts import chaos
from workflows import admission, condition_nodes, signals, timers, versions
from workflows.signals import Moved
from workflows.steps.base import Advance, Detail, Effect, KeepWaiting, Leave, Outcome, WaitUntil


@dataclass(frozen=True)
class Claimed:
    """An enrolment as the claim read it."""

    id: int
    version_id: int
    contact_id: int
    step: str
    seq: int
    resumed: bool
    trigger: str  # JSON
    entered_at: datetime
    waiting_since: datetime | None
    attempts: int


@dataclass(frozen=True)
class Move:
    """What becomes of one enrolment: the row of the journal and the new place of the cursor."""

    claimed: Claimed
    outcome: str
    port: str
    detail: Detail
    state: str
    step: str
    wake_at: datetime
    exit_reason: str = ""


@dataclass
class Batch:
    """What a batch gathers before it writes."""

    lane: str
    now: datetime
    moves: list[Move] = field(default_factory=list)
    kept: list[tuple[Claimed, datetime]] = field(default_factory=list)  # wait on, and until when at the latest
    effects: dict[type[Effect], list[Effect]] = field(default_factory=dict)
    counts: Counter[tuple[int, int, str, str]] = field(default_factory=Counter)


def note(
    batch: Batch, version: versions.CompiledVersion, step: versions.CompiledStep, row: Claimed, outcome: Outcome
) -> None:
    """Turn what the step said into the move of the cursor, the counts and the effects."""

    def count(at: str, metric: str) -> None:
        batch.counts[(version.workflow_id, version.id, at, metric)] += 1

    if not row.resumed:
        count(row.step, "entered")
    if isinstance(outcome, KeepWaiting):
        batch.kept.append((row, version.at_the_latest(outcome.at, row.entered_at)))
        return
    if isinstance(outcome, Advance | WaitUntil):
        for effect in outcome.effects:
            batch.effects.setdefault(type(effect), []).append(effect)
    if isinstance(outcome, WaitUntil):
        wake_at = version.at_the_latest(outcome.at, row.entered_at)
        batch.moves.append(Move(row, "waiting", "", outcome.detail, "waiting", row.step, wake_at))
        return
    if isinstance(outcome, Leave):
        state = "completed" if outcome.reason == "completed" else "exited"
        count("", "completed" if state == "completed" else f"exited:{outcome.reason}")
        move = Move(row, "left", "", outcome.detail, state, row.step, batch.now, outcome.reason)
        batch.moves.append(move)
        return
    assert isinstance(outcome, Advance)
    count(row.step, f"left:{outcome.port}")
    target = step.next.get(outcome.port)
    if target is None:
        count("", "completed")
        done = Move(row, "advanced", outcome.port, outcome.detail, "completed", row.step, batch.now, "completed")
        batch.moves.append(done)
    else:
        batch.moves.append(Move(row, "advanced", outcome.port, outcome.detail, "active", target, batch.now))


# The moves of a batch, in one statement. What many moves have in common (where from, where to, how) is a `kind`,
# and what they read and decided, which is often the same, is sent once.
_APPLY = """
WITH kinds AS (
    SELECT * FROM json_to_recordset(%s) AS k(kind int, version_id bigint, step text, step_type text, outcome text,
                                             port text, state text, target text, exit_reason text)),
details AS (SELECT * FROM jsonb_array_elements(%s::jsonb) WITH ORDINALITY AS x(detail, number)),
moves AS MATERIALIZED (
    SELECT m.id, m.seq, m.contact_id, m.wake_at, details.detail, kinds.*
      FROM unnest(%s::bigint[], %s::int[], %s::bigint[], %s::int[], %s::int[], %s::timestamptz[])
           AS m(id, seq, contact_id, kind, number, wake_at)
      JOIN kinds USING (kind) JOIN details USING (number)),
moved AS (
    UPDATE workflow_enrolments e
       SET state = d.state, step = d.target, seq = d.seq + 1, exit_reason = d.exit_reason,
           -- only a wait moves it: a step that leaves state and wake time alone touches no index
           wake_at = CASE WHEN d.state = 'waiting' THEN d.wake_at ELSE e.wake_at END,
           waiting_since = CASE WHEN d.state = 'waiting' THEN %s END,
           held = d.state = 'waiting' AND e.capped,
           attempts = 0,
           finished_at = CASE WHEN d.state IN ('completed', 'exited', 'failed') THEN %s END
      FROM moves d WHERE e.id = d.id {guard}
    RETURNING e.capped AND e.state <> 'active' AS left_a_place),
written AS (
    INSERT INTO workflow_journal
           (enrolment_id, seq, contact_id, version_id, step, step_type, outcome, port, detail, at)
    SELECT id, seq + 1, contact_id, version_id, step, step_type, outcome, port, detail, %s FROM moves
    {conflict})
SELECT count(*), COALESCE(bool_or(left_a_place), false) FROM moved
"""


def write(batch: Batch) -> None:
    _keep_waiting(batch)
    if not batch.moves:
        return
    kinds: dict[tuple[int, str, str, str, str, str, str], int] = {}
    kind_of: list[int] = []
    details: dict[str, int] = {}
    detail_of: list[int] = []
    for move in batch.moves:
        claimed = move.claimed
        detail = move.detail if isinstance(move.detail, str) else json.dumps(dict(move.detail))
        detail_of.append(details.setdefault(detail, len(details) + 1))
        kind = (claimed.version_id, claimed.step, move.outcome, move.port, move.state, move.step, move.exit_reason)
        kind_of.append(kinds.setdefault(kind, len(kinds)))
    compiled = versions.load(version_id for version_id, *_ in kinds)
    common = [
        {
            "kind": number,
            "version_id": version_id,
            "step": step,
            "step_type": compiled[version_id].steps[step].kind.key,
            "outcome": outcome,
            "port": port,
            "state": state,
            "target": target,
            "exit_reason": exit_reason,
        }
        for (version_id, step, outcome, port, state, target, exit_reason), number in kinds.items()
    ]
    # A drill may build in an engine that claims nothing and takes whatever the journal refuses for done.
    guard, conflict = ("", "ON CONFLICT DO NOTHING") if chaos.mutant("engine.no_claim") else ("AND e.seq = d.seq", "")
    with connection.cursor() as cursor:
        cursor.execute(
            _APPLY.format(guard=guard, conflict=conflict),
            [
                json.dumps(common),
                f"[{','.join(details)}]",
                _array(move.claimed.id for move in batch.moves),
                _array(move.claimed.seq for move in batch.moves),
                _array(move.claimed.contact_id for move in batch.moves),
                _array(kind_of),
                _array(detail_of),
                _array(move.wake_at if move.state == "waiting" else None for move in batch.moves),
                batch.now,
                batch.now,
                batch.now,
            ],
        )
        moved, is_a_place_free = cursor.fetchone()
    if moved != len(batch.moves):
        raise RuntimeError(f"{len(batch.moves) - moved} enrolments moved under our lock")
    for effect in sorted(batch.effects, key=lambda effect: effect.__name__):
        effect.apply(batch.effects[effect], batch.now)
    deltas = tuple(Moved(*where, amount) for where, amount in sorted(batch.counts.items()))
    signals.enrolments_moved.send(sender=None, deltas=deltas, now=batch.now)
    ended = [move.claimed.contact_id for move in batch.moves if move.state in ("completed", "exited")]
    condition_nodes.mark(ended, lane=batch.lane, now=batch.now)
    if is_a_place_free:
        admission.ring()
    waiting = [(move.claimed.id, move.wake_at) for move in batch.moves if move.state == "waiting"]
    if waiting:
        transaction.on_commit(partial(timers.remember, waiting, lane=batch.lane))
    chaos.point("engine.applied")


def _keep_waiting(batch: Batch) -> None:
    """Who waits on keeps the arrival in the journal, and comes back later. One statement, or none."""
    if not batch.kept:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE workflow_enrolments e SET state = 'waiting', wake_at = d.wake_at, held = e.capped, attempts = 0"
            " FROM unnest(%s::bigint[], %s::timestamptz[]) AS d(id, wake_at) WHERE e.id = d.id RETURNING e.capped",
            [_array(row.id for row, _ in batch.kept), _array(at for _, at in batch.kept)],
        )
        if any(capped for (capped,) in cursor.fetchall()):
            admission.ring()
    waiting = [(row.id, at) for row, at in batch.kept]
    transaction.on_commit(partial(timers.remember, waiting, lane=batch.lane))


def _array(values: Iterable[int | datetime | None]) -> str:
    """An array in PostgreSQL's own spelling, for numbers and instants only: four times as fast as adapting a list."""
    return "{" + ",".join(map(_spell, values)) + "}"


def _spell(value: int | datetime | None) -> str:
    if value is None:
        return "NULL"
    return f'"{value.isoformat()}"' if isinstance(value, datetime) else str(value)
