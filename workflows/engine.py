"""The engine: a batch of enrolments advances together, in one transaction.

Whoever took a step that brings nothing about outside the engine's tables, such as a branch, takes the next one at once,
at most eight in all: one claim and one write for all of them. A step that brings something about is the last one of its
batch, so that what it did is there when the next one reads.

One batch costs a constant number of statements, plus one or two for each distinct (version, step), of which it takes
at most forty, whatever its size. Claimed rows stay locked until the commit, so there is no lease to expire and
nothing to undo: a killed worker leaves its batch exactly as it was."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from django.db import connection, transaction

from contacts import chaos, clock, freezing, tracing
from contacts.conditions import Aliases, compile_condition
from workflows import archiving, lateness, moves, pausing, versions
from workflows.failures import failing
from workflows.moves import Batch, Claimed
from workflows.steps.base import Advance, Cohort, Leave, Member

log = logging.getLogger(__name__)

BATCH = 1000
STEPS_PER_BATCH = 8  # that one enrolment takes
GROUPS_PER_BATCH = 20  # at which the claimed ones stand, and so many again on their way


def advance_batch(*, lane: str, limit: int = BATCH) -> bool:
    """Advance the due enrolments of a lane by at least one step, at most `limit` of them. Returns whether there were
    any."""
    claimed: list[Claimed] = []
    try:
        with transaction.atomic():
            now = clock.now()
            claimed, met = _claim(lane, now, limit)
            if claimed:
                _advance(lane, claimed, now, steps=STEPS_PER_BATCH)
            return met
    except Exception as error:
        if not claimed or failing.passes_by_itself(error):
            raise  # the connection, a lock or a timeout: no enrolment's fault
        log.error("a batch of lane %s failed; looking for whom:\n%s", lane, failing.trace_of(error))
    failing.isolate(claimed, partial(_advance_again, lane))
    return True


def _advance_again(lane: str, rows: Sequence[Claimed]) -> None:
    """A part of a batch that failed, in a transaction of its own; those whom nobody else has taken meanwhile."""
    with transaction.atomic():
        now = clock.now()
        claimed, _ = _claim(lane, now, len(rows), among=[row.id for row in rows])
        if claimed:
            _advance(lane, claimed, now, steps=1)  # so that whoever fails fails where it stands


def _claim(lane: str, now: datetime, limit: int, *, among: Sequence[int] | None = None) -> tuple[list[Claimed], bool]:
    """Lock due enrolments, `among` these where given; with whether it met any. Those of a paused workflow are laid
    aside at once, and those of an archived one leave, so that no later claim meets them again."""
    lock = "" if chaos.mutant("engine.no_claim") else "FOR UPDATE OF e SKIP LOCKED"
    mine = "" if among is None else "AND id = ANY(%s)"
    live = "(SELECT w.live_version_id FROM workflows w WHERE w.id = e.workflow_id)"
    version = live if chaos.mutant("engine.live_version") else "version_id"
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT id, {version}, contact_id, step, seq, waiting_since IS NOT NULL, trigger::text,
                   entered_at, waiting_since, attempts, CASE WHEN state = 'waiting' THEN wake_at END, state,
                   workflow_id,
                   workflow_id IN (SELECT w.id FROM workflows w WHERE w.status <> 'live')
              FROM workflow_enrolments e
             WHERE lane = %s AND state IN ('active', 'waiting') AND NOT held AND wake_at <= %s {mine}
               AND {freezing.THAWED}
             ORDER BY wake_at LIMIT %s
               {lock}
            """,
            [lane, now, *([] if among is None else [list(among)]), limit],
        )
        rows = cursor.fetchall()
    chaos.point("engine.claimed")
    claimed: list[Claimed] = []
    groups: set[tuple[int, str]] = set()
    stopped: dict[int, list[int]] = {}
    for *values, workflow_id, is_stopped in rows:
        row = Claimed(*values)
        if is_stopped:
            stopped.setdefault(workflow_id, []).append(row.id)
            continue
        group = (row.version_id, row.step)
        if group not in groups and len(groups) == GROUPS_PER_BATCH:
            continue  # stays due, and comes with the next batch
        groups.add(group)
        claimed.append(row)
    set_aside = pausing.park(stopped) + archiving.take(stopped, now=now) if stopped else 0
    return claimed, bool(claimed or set_aside)


def _advance(lane: str, claimed: list[Claimed], now: datetime, *, steps: int) -> None:
    came_from = partial(tracing.of, "enrolment", [row.id for row in claimed])
    with tracing.batch("engine.advance", links=came_from, size=len(claimed), lane=lane):
        _take_steps(lane, claimed, now, steps)


def _take_steps(lane: str, claimed: list[Claimed], now: datetime, steps: int) -> None:
    batch = Batch(lane, now)
    timezones = _once(partial(_timezones, [row.contact_id for row in claimed]))
    groups = _grouped(claimed)
    more = GROUPS_PER_BATCH
    for taken in range(1, steps + 1):
        compiled = versions.load(version_id for version_id, _ in groups)
        for (version_id, step), rows in sorted(groups.items()):
            _run_group(batch, compiled[version_id], step, rows, timezones)
        groups = dict(sorted(_grouped(batch.onward).items())[:more])  # the others stay due, and come with a later batch
        batch.onward = []
        more -= len(groups)
        if not groups or taken == steps:
            break
    moves.write(batch)
    lateness.tell(lane, claimed, now=now)


def _grouped(rows: Iterable[Claimed]) -> dict[tuple[int, str], list[Claimed]]:
    groups: dict[tuple[int, str], list[Claimed]] = {}
    for row in rows:
        groups.setdefault((row.version_id, row.step), []).append(row)
    return groups


def _run_group(
    batch: Batch,
    version: versions.CompiledVersion,
    key: str,
    rows: list[Claimed],
    timezones: Callable[[], Mapping[int, str]],
) -> None:
    step = version.steps[key]
    late = [row for row in rows if version.is_over(row.entered_at, batch.now)]
    for row in late:
        moves.note(batch, version, step, row, Leave("timed_out"))
    rows = [row for row in rows if row not in late] if late else rows
    cohort = Cohort(
        workflow_id=version.workflow_id,
        workflow_slug=version.slug,
        version_id=version.id,
        settings=version.definition.settings,
        lane=batch.lane,
        step=key,
        members=tuple(
            Member(row.id, row.contact_id, row.seq + 1, row.resumed, row.trigger, row.waiting_since) for row in rows
        ),
        timezones=timezones,
    )
    skipped = _skipped(step, rows, cohort.aliases, batch.now)
    staying = tuple(member for member in cohort.members if member.enrolment_id not in skipped)
    outcomes = iter(step.kind.run(replace(cohort, members=staying), step.prepared, batch.now) if staying else ())
    passed_over = Advance(port=step.skip_port, detail={"skipped": "skip_if"})
    for row in rows:
        moves.note(batch, version, step, row, passed_over if row.id in skipped else next(outcomes))


def _skipped(step: versions.CompiledStep, rows: list[Claimed], aliases: Aliases, now: datetime) -> set[int]:
    """Whom the step's `skip_if` takes past it, at the moment of arrival. One statement, or none."""
    arriving = [row.id for row in rows if not row.resumed]
    if step.skip_if is None or not arriving:
        return set()
    sql = compile_condition(step.skip_if, now=now, aliases=aliases)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT t.id FROM workflow_enrolments t JOIN contacts c ON c.id = t.contact_id"
            f" WHERE t.id = ANY(%s) AND {sql.text}",
            [arriving, *sql.params],
        )
        return {enrolment_id for (enrolment_id,) in cursor.fetchall()}


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
