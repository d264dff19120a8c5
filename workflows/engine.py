"""The engine: a batch of enrolments advances one step together, in one transaction.

One batch costs a constant number of statements, plus one or two for each distinct (version, step), of which it takes
at most twenty, whatever its size. Claimed rows stay locked until the commit, so there is no lease to expire and
nothing to undo: a killed worker leaves its batch exactly as it was."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any

from django.db import DatabaseError, connection, transaction

from contacts import chaos, clock
from contacts.conditions import Aliases, compile_condition
from contacts.transactions import sqlstate
from workflows import condition_nodes, signals, timers, versions
from workflows.signals import Moved
from workflows.steps.base import Advance, Cohort, Effect, Leave, Member, Outcome, WaitUntil

log = logging.getLogger(__name__)

BATCH = 500
GROUPS_PER_BATCH = 20


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


@dataclass(frozen=True)
class Move:
    """What becomes of one enrolment: the row of the journal and the new place of the cursor."""

    claimed: Claimed
    outcome: str
    port: str
    detail: Mapping[str, Any]
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
    effects: dict[type[Effect], list[Effect]] = field(default_factory=dict)
    counts: Counter[tuple[int, int, str, str]] = field(default_factory=Counter)


def advance_batch(*, lane: str, limit: int = BATCH) -> bool:
    """Advance the due enrolments of a lane by one step, at most `limit` of them. Returns whether there were any."""
    try:
        with transaction.atomic():
            now = clock.now()
            claimed = _claim(lane, now, limit)
            if claimed:
                _advance(lane, claimed, now)
            return bool(claimed)
    except Exception as error:
        if isinstance(error, DatabaseError) and _passes_by_itself(error):
            raise  # the connection, a lock or a timeout: no enrolment's fault
        log.exception("a batch of lane %s failed; taking its enrolments one by one", lane)
    return _advance_one_by_one(lane, limit)


def _passes_by_itself(error: DatabaseError) -> bool:
    return sqlstate(error)[:2] not in {"22", "23", "42"}  # data, integrity, syntax


def _advance_one_by_one(lane: str, limit: int) -> bool:
    """After a failed batch: each enrolment in a transaction of its own, so that only the guilty ones fail."""
    done = False
    for _ in range(limit):
        guilty: list[Claimed] = []
        try:
            with transaction.atomic():
                now = clock.now()
                guilty = _claim(lane, now, 1)
                if not guilty:
                    return done
                _advance(lane, guilty, now)
        except Exception as error:
            if not guilty or (isinstance(error, DatabaseError) and _passes_by_itself(error)):
                raise
            log.exception("enrolment %s failed at step %s", guilty[0].id, guilty[0].step)
            _fail(guilty[0], error)
        done = True
    return done


def _claim(lane: str, now: datetime, limit: int) -> list[Claimed]:
    lock = "" if chaos.mutant("engine.no_claim") else "FOR UPDATE OF e SKIP LOCKED"
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT id, version_id, contact_id, step, seq, state = 'waiting', trigger::text
              FROM workflow_enrolments e
             WHERE lane = %s AND state IN ('active', 'waiting') AND wake_at <= %s
               AND NOT EXISTS (SELECT FROM workflows w WHERE w.id = e.workflow_id AND w.status = 'paused')
             ORDER BY wake_at LIMIT %s
               {lock}
            """,
            [lane, now, limit],
        )
        rows = cursor.fetchall()
    chaos.point("engine.claimed")
    claimed: list[Claimed] = []
    groups: set[tuple[int, str]] = set()
    for enrolment_id, version_id, contact_id, step, seq, waiting, trigger in rows:
        group = (version_id, step)
        if group not in groups and len(groups) == GROUPS_PER_BATCH:
            continue  # stays due, and comes with the next batch
        groups.add(group)
        claimed.append(Claimed(enrolment_id, version_id, contact_id, step, seq, waiting, trigger))
    return claimed


def _advance(lane: str, claimed: list[Claimed], now: datetime) -> None:
    batch = Batch(lane, now)
    timezones = _once(partial(_timezones, [row.contact_id for row in claimed]))
    groups: dict[tuple[int, str], list[Claimed]] = {}
    for row in claimed:
        groups.setdefault((row.version_id, row.step), []).append(row)
    compiled = versions.load(version_id for version_id, _ in groups)
    for (version_id, step), rows in sorted(groups.items()):
        _run_group(batch, compiled[version_id], step, rows, timezones)
    _write(batch)


def _run_group(
    batch: Batch,
    version: versions.CompiledVersion,
    key: str,
    rows: list[Claimed],
    timezones: Callable[[], Mapping[int, str]],
) -> None:
    step = version.steps[key]
    cohort = Cohort(
        workflow_id=version.workflow_id,
        workflow_slug=version.slug,
        version_id=version.id,
        settings=version.definition.settings,
        lane=batch.lane,
        step=key,
        members=tuple(Member(row.id, row.contact_id, row.seq + 1, row.resumed, row.trigger) for row in rows),
        timezones=timezones,
    )
    skipped = _skipped(step, rows, batch.now)
    staying = tuple(member for member in cohort.members if member.enrolment_id not in skipped)
    outcomes = iter(step.kind.run(replace(cohort, members=staying), step.prepared, batch.now) if staying else ())
    passed_over = Advance(port=step.skip_port, detail={"skipped": "skip_if"})
    for row in rows:
        _note(batch, version, step, row, passed_over if row.id in skipped else next(outcomes))


def _skipped(step: versions.CompiledStep, rows: list[Claimed], now: datetime) -> set[int]:
    """Whom the step's `skip_if` takes past it, at the moment of arrival. One statement, or none."""
    arriving = [row.id for row in rows if not row.resumed]
    if step.skip_if is None or not arriving:
        return set()
    sql = compile_condition(step.skip_if, now=now, aliases=Aliases(contact="c", trigger="t"))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT t.id FROM workflow_enrolments t JOIN contacts c ON c.id = t.contact_id"
            f" WHERE t.id = ANY(%s) AND {sql.text}",
            [arriving, *sql.params],
        )
        return {enrolment_id for (enrolment_id,) in cursor.fetchall()}


def _note(
    batch: Batch, version: versions.CompiledVersion, step: versions.CompiledStep, row: Claimed, outcome: Outcome
) -> None:
    """Turn what the step said into the move of the cursor, the counts and the effects."""

    def count(at: str, metric: str) -> None:
        batch.counts[(version.workflow_id, version.id, at, metric)] += 1

    if not row.resumed:
        count(row.step, "entered")
    if isinstance(outcome, WaitUntil):
        batch.moves.append(Move(row, "waiting", "", outcome.detail, "waiting", row.step, outcome.at))
        return
    if isinstance(outcome, Leave):
        state = "completed" if outcome.reason == "completed" else "exited"
        count("", "completed" if state == "completed" else f"exited:{outcome.reason}")
        move = Move(row, "left", "", outcome.detail, state, row.step, batch.now, outcome.reason)
        batch.moves.append(move)
        return
    assert isinstance(outcome, Advance)
    count(row.step, f"left:{outcome.port}")
    for effect in outcome.effects:
        batch.effects.setdefault(type(effect), []).append(effect)
    target = step.next.get(outcome.port)
    if target is None:
        count("", "completed")
        done = Move(row, "advanced", outcome.port, outcome.detail, "completed", row.step, batch.now, "completed")
        batch.moves.append(done)
    else:
        batch.moves.append(Move(row, "advanced", outcome.port, outcome.detail, "active", target, batch.now))


# The moves of a batch, in one statement. What many moves have in common (where from, where to, how) is a `kind`.
_APPLY = """
WITH kinds AS (
    SELECT * FROM json_to_recordset(%s) AS k(kind int, version_id bigint, step text, step_type text, outcome text,
                                             port text, state text, target text, exit_reason text)),
details AS (SELECT * FROM json_to_recordset(%s) AS x(id bigint, detail jsonb)),
moves AS MATERIALIZED (
    SELECT m.id, m.seq, m.contact_id, m.wake_at, COALESCE(details.detail, '{{}}') AS detail, kinds.*
      FROM unnest(%s::bigint[], %s::int[], %s::bigint[], %s::int[], %s::timestamptz[])
           AS m(id, seq, contact_id, kind, wake_at)
      JOIN kinds USING (kind) LEFT JOIN details USING (id)),
moved AS (
    UPDATE workflow_enrolments e
       SET state = d.state, step = d.target, seq = d.seq + 1, exit_reason = d.exit_reason,
           -- only a wait moves it: a step that leaves state and wake time alone touches no index
           wake_at = CASE WHEN d.state = 'waiting' THEN d.wake_at ELSE e.wake_at END,
           waiting_since = CASE WHEN d.state = 'waiting' THEN %s END,
           finished_at = CASE WHEN d.state IN ('completed', 'exited', 'failed') THEN %s END
      FROM moves d WHERE e.id = d.id {guard}
    RETURNING e.id),
written AS (
    INSERT INTO workflow_journal
           (enrolment_id, seq, contact_id, version_id, step, step_type, outcome, port, detail, at)
    SELECT id, seq + 1, contact_id, version_id, step, step_type, outcome, port, detail, %s FROM moves
    {conflict})
SELECT count(*) FROM moved
"""


def _write(batch: Batch) -> None:
    kinds: dict[tuple[int, str, str, str, str, str, str], int] = {}
    kind_of: list[int] = []
    for move in batch.moves:
        claimed = move.claimed
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
                json.dumps(
                    [{"id": move.claimed.id, "detail": dict(move.detail)} for move in batch.moves if move.detail]
                ),
                _array(move.claimed.id for move in batch.moves),
                _array(move.claimed.seq for move in batch.moves),
                _array(move.claimed.contact_id for move in batch.moves),
                _array(kind_of),
                _array(move.wake_at for move in batch.moves),
                batch.now,
                batch.now,
                batch.now,
            ],
        )
        moved = cursor.fetchone()[0]
    if moved != len(batch.moves):
        raise RuntimeError(f"{len(batch.moves) - moved} enrolments moved under our lock")
    for effect in sorted(batch.effects, key=lambda effect: effect.__name__):
        effect.apply(batch.effects[effect], batch.now)
    deltas = tuple(Moved(*where, amount) for where, amount in sorted(batch.counts.items()))
    signals.enrolments_moved.send(sender=None, deltas=deltas, now=batch.now)
    ended = [move.claimed.contact_id for move in batch.moves if move.state in ("completed", "exited")]
    condition_nodes.mark(ended, lane=batch.lane, now=batch.now)
    waiting = [(move.claimed.id, move.wake_at) for move in batch.moves if move.state == "waiting"]
    if waiting:
        transaction.on_commit(partial(timers.remember, waiting, lane=batch.lane))
    chaos.point("engine.applied")


def _array(values: Iterable[int | datetime]) -> str:
    """An array in PostgreSQL's own spelling, for numbers and instants only: four times as fast as adapting a list."""
    return "{" + ",".join(map(_spell, values)) + "}"


def _spell(value: int | datetime) -> str:
    return f'"{value.isoformat()}"' if isinstance(value, datetime) else str(value)


def _fail(row: Claimed, error: Exception) -> None:
    """A step raised for this enrolment alone: it ends as failed, and the journal says what was raised (its kind only:
    a message may quote personal data)."""
    with transaction.atomic():
        now = clock.now()
        version = versions.load([row.version_id])[row.version_id]
        step_type = version.steps[row.step].kind.key if row.step in version.steps else ""
        with connection.cursor() as cursor:
            cursor.execute(
                """
                WITH failed AS (
                    UPDATE workflow_enrolments SET state = 'failed', exit_reason = 'failed', finished_at = %s,
                           seq = seq + 1, waiting_since = NULL
                     WHERE id = %s AND seq = %s AND state IN ('active', 'waiting')
                    RETURNING id, seq, contact_id, version_id, step)
                INSERT INTO workflow_journal
                       (enrolment_id, seq, contact_id, version_id, step, step_type, outcome, port, detail, at)
                SELECT id, seq, contact_id, version_id, step, %s, 'failed', '', %s, %s FROM failed
                """,
                [now, row.id, row.seq, step_type, json.dumps({"error": type(error).__name__}), now],
            )
            if cursor.rowcount:
                moved = Moved(version.workflow_id, version.id, "", "failed", 1)
                signals.enrolments_moved.send(sender=None, deltas=(moved,), now=now)
                condition_nodes.mark([row.contact_id], lane="urgent", now=now)


def _timezones(contact_ids: list[int]) -> Mapping[int, str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, timezone FROM contacts WHERE id = ANY(%s)", [contact_ids])
        return dict(cursor.fetchall())


def _once(read: Callable[[], Mapping[int, str]]) -> Callable[[], Mapping[int, str]]:
    """Read when first asked, then remember: constant statements, and none for a batch that never asks."""
    answers: list[Mapping[int, str]] = []

    def ask() -> Mapping[int, str]:
        if not answers:
            answers.append(read())
        return answers[0]

    return ask
