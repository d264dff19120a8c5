"""What a batch of the engine writes: the moves of its enrolments, their journal, their counts and their effects."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import NamedTuple

from django.db import connection, transaction

from contacts import chaos
from workflows import admission, condition_nodes, move_counts, signals, timers, versions
from workflows.steps.base import Advance, Effect, KeepWaiting, Outcome, WaitUntil


class Claimed(NamedTuple):
    """An enrolment as the claim read it, or as it stands after a step of this batch."""

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
    woke_at: datetime | None = None  # of a wait that is claimed because its time has come
    state: str = ""  # as the claim found it; empty: a step of this batch brought it here, or it had failed


class Kind(NamedTuple):
    """What many moves have in common: where from, how, and where to."""

    version_id: int
    step: str
    outcome: str
    port: str
    state: str
    target: str
    exit_reason: str = ""


class Move(NamedTuple):
    """What becomes of one enrolment: a row of the journal, and the new place of the cursor. `wake_at` of a wait only;
    `detail` is JSON."""

    claimed: Claimed
    kind: int
    detail: str
    wake_at: datetime | None = None


@dataclass
class Batch:
    """What a batch gathers before it writes."""

    lane: str
    now: datetime
    moves: list[Move] = field(default_factory=list)
    kinds: dict[Kind, int] = field(default_factory=dict)  # numbered as they come
    ways: dict[tuple[int, str, str], tuple[int, str]] = field(
        default_factory=dict
    )  # version, step, port -> kind, target
    onward: list[Claimed] = field(default_factory=list)  # who stands at another step now, with nothing to bring about
    kept: list[tuple[Claimed, datetime]] = field(default_factory=list)  # wait on, and until when at the latest
    effects: dict[type[Effect], list[Effect]] = field(default_factory=dict)


def note(
    batch: Batch, version: versions.CompiledVersion, step: versions.CompiledStep, row: Claimed, outcome: Outcome
) -> None:
    """Turn what the step said into the move of the cursor and the effects."""
    if isinstance(outcome, KeepWaiting):
        batch.kept.append((row, version.at_the_latest(outcome.at, row.entered_at)))
        return
    wake_at = None
    effects: tuple[Effect, ...] = ()
    if isinstance(outcome, Advance):
        effects = outcome.effects
        number, target = batch.ways.get((version.id, row.step, outcome.port)) or _way(
            batch, version, step, row, outcome
        )
        if target and not effects:
            batch.onward.append(_after(row, target))
    elif isinstance(outcome, WaitUntil):
        effects = outcome.effects
        wake_at = version.at_the_latest(outcome.at, row.entered_at)
        number = _numbered(batch, Kind(version.id, row.step, "waiting", "", "waiting", row.step))
    else:
        state = "completed" if outcome.reason == "completed" else "exited"
        number = _numbered(batch, Kind(version.id, row.step, "left", "", state, row.step, outcome.reason))
    for effect in effects:
        batch.effects.setdefault(type(effect), []).append(effect)
    detail = outcome.detail if isinstance(outcome.detail, str) else json.dumps(dict(outcome.detail))
    batch.moves.append(Move(row, number, detail, wake_at))


def _way(
    batch: Batch, version: versions.CompiledVersion, step: versions.CompiledStep, row: Claimed, outcome: Advance
) -> tuple[int, str]:
    """The kind of move that leads through this port, and where to; empty: to the end. Looked up once a batch."""
    target = step.next.get(outcome.port) or ""
    if target:
        kind = Kind(version.id, row.step, "advanced", outcome.port, "active", target)
    else:
        kind = Kind(version.id, row.step, "advanced", outcome.port, "completed", row.step, "completed")
    way = batch.ways[(version.id, row.step, outcome.port)] = _numbered(batch, kind), target
    return way


def _numbered(batch: Batch, kind: Kind) -> int:
    return batch.kinds.setdefault(kind, len(batch.kinds))


def _after(row: Claimed, target: str) -> Claimed:
    return Claimed(
        row.id, row.version_id, row.contact_id, target, row.seq + 1, False, row.trigger, row.entered_at, None, 0
    )


# The moves of a batch, in one statement. An enrolment that took several steps has a move for each, of which the last
# says where it stands (`was`: the number in the journal at which it was claimed; -1 for those before). What many
# moves have in common is a `kind`, and what they read and decided, which is often the same, is sent once.
_APPLY = """
WITH kinds AS (
    SELECT * FROM json_to_recordset(%s) AS k(kind int, version_id bigint, step text, step_type text, outcome text,
                                             port text, state text, target text, exit_reason text)),
details AS (SELECT * FROM jsonb_array_elements(%s::jsonb) WITH ORDINALITY AS x(detail, number)),
moves AS MATERIALIZED (
    SELECT m.id, m.seq, m.was, m.contact_id, m.wake_at, details.detail, kinds.*
      FROM unnest(%s::bigint[], %s::int[], %s::int[], %s::bigint[], %s::int[], %s::int[], %s::timestamptz[])
           AS m(id, seq, was, contact_id, kind, number, wake_at)
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
      FROM moves d WHERE e.id = d.id AND d.was >= 0 {guard}
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
    details: dict[str, int] = {}
    detail_of = [details.setdefault(move.detail, len(details) + 1) for move in batch.moves]
    compiled = versions.load(kind.version_id for kind in batch.kinds)
    common = [
        {"kind": number, "step_type": compiled[kind.version_id].steps[kind.step].kind.key, **kind._asdict()}
        for kind, number in batch.kinds.items()
    ]
    # A drill may build in an engine that claims nothing and takes whatever the journal refuses for done.
    guard, conflict = ("", "ON CONFLICT DO NOTHING") if chaos.mutant("engine.no_claim") else ("AND e.seq = d.was", "")
    last = {move.claimed.id: number for number, move in enumerate(batch.moves)}
    was = [-1] * len(batch.moves)
    for move in reversed(batch.moves):  # so the first one of an enrolment has the last word
        was[last[move.claimed.id]] = move.claimed.seq
    with connection.cursor() as cursor:
        cursor.execute(
            _APPLY.format(guard=guard, conflict=conflict),
            [
                json.dumps(common),
                f"[{','.join(details)}]",
                _numbers([move.claimed.id for move in batch.moves]),
                _numbers([move.claimed.seq for move in batch.moves]),
                _numbers(was),
                _numbers([move.claimed.contact_id for move in batch.moves]),
                _numbers([move.kind for move in batch.moves]),
                _numbers(detail_of),
                _instants([move.wake_at for move in batch.moves]),
                batch.now,
                batch.now,
                batch.now,
            ],
        )
        moved, is_a_place_free = cursor.fetchone()
    if moved != len(last):
        raise RuntimeError(f"{len(last) - moved} enrolments moved under our lock")
    for effect in sorted(batch.effects, key=lambda effect: effect.__name__):
        effect.apply(batch.effects[effect], batch.now)
    standing = move_counts.standing(batch, (move.kind for move, seq in zip(batch.moves, was, strict=True) if seq >= 0))
    deltas = move_counts.told(batch, compiled, standing)
    signals.enrolments_moved.send(sender=None, deltas=deltas, now=batch.now)
    final = {number for kind, number in batch.kinds.items() if kind.state in ("completed", "exited")}
    ended = [move.claimed.contact_id for move in batch.moves if move.kind in final]
    condition_nodes.mark(ended, lane=batch.lane, now=batch.now)
    if is_a_place_free:
        admission.ring()
    waiting = [(move.claimed.id, move.wake_at) for move in batch.moves if move.wake_at is not None]
    if waiting:
        transaction.on_commit(partial(timers.remember, waiting, lane=batch.lane))
    chaos.point("engine.applied")


def _keep_waiting(batch: Batch) -> None:
    """Who waits on keeps the arrival in the journal, and comes back later. One statement, or none."""
    if not batch.kept:
        return
    if deltas := move_counts.back_to_waiting(row for row, _ in batch.kept):
        signals.enrolments_moved.send(sender=None, deltas=deltas, now=batch.now)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE workflow_enrolments e SET state = 'waiting', wake_at = d.wake_at, held = e.capped, attempts = 0"
            " FROM unnest(%s::bigint[], %s::timestamptz[]) AS d(id, wake_at) WHERE e.id = d.id RETURNING e.capped",
            [_numbers([row.id for row, _ in batch.kept]), _instants([at for _, at in batch.kept])],
        )
        if any(capped for (capped,) in cursor.fetchall()):
            admission.ring()
    waiting = [(row.id, at) for row, at in batch.kept]
    transaction.on_commit(partial(timers.remember, waiting, lane=batch.lane))


# Arrays in PostgreSQL's own spelling, for what needs no quotes: ten times as fast as adapting a list.
def _numbers(values: Sequence[int]) -> str:
    return "{" + ",".join(map(str, values)) + "}"


def _instants(values: Sequence[datetime | None]) -> str:
    return "{" + ",".join(["NULL" if value is None else f'"{value.isoformat()}"' for value in values]) + "}"
