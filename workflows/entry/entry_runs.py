"""Bringing an audience into a workflow: counted first, then entered a slice at a time on the bulk lane.

A slice is one SERIALIZABLE transaction that enrols and moves the run's position: killed anywhere, nothing has happened,
and nobody is looked at twice. Whom it looks at is read just before, so that the transaction stays small."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Exists

from contacts import chaos, clock, doorbell
from contacts.audiences.preview import Counted, counted
from contacts.conditions import Sql, compile_condition, parse
from contacts.conditions.fragment import join
from contacts.models import Freeze
from workflows import serializable
from workflows.definition.schema import Definition
from workflows.entry import entering
from workflows.entry.entering import Standing
from workflows.models import EntryRun

BELL = "workflows.enter"
LANE = "bulk"
SLICE = 1_000  # contacts who are enrolled together
LOOKED_AT = 10_000  # contacts who are looked at for them
NEARLY = 0.99  # as far as a run is that has not ended
LOCK_CLASS = 7304  # first key of the advisory locks; the run is the second


@dataclass(frozen=True)
class Slice:
    """Whom to enter, of those up to `end`; `looked_at` were met on the way."""

    contact_ids: tuple[int, ...]
    end: int
    looked_at: int


def condition(definition: Definition, *, workflow_id: int, kind: str, audience: Any, now: datetime) -> Sql:
    """Whom a run of this kind looks for, over a row of contacts called c.

    existing: those of the definition's audience who stand already where its trigger leads, and have never been in the
    workflow. schedule, manual, api: those of `audience` (None: everybody); the definition's audience is one of the
    gates that they meet then."""
    trees = [audience]
    parts = [Sql("(c.merged_into_id IS NULL AND c.erased_at IS NULL)", [])]
    if kind == "existing":
        trees = [definition.entry.audience, definition.entry.trigger.standing()]
        parts.append(
            Sql(
                "NOT EXISTS (SELECT FROM workflow_enrolments AS been"
                " WHERE been.contact_id = c.id AND been.workflow_id = %s OFFSET 0)",
                [workflow_id],
            )
        )
    parts += [compile_condition(parse(tree), now=now) for tree in trees if tree is not None]
    return join(" AND ", parts)


def count(definition: Definition, *, workflow_id: int, kind: str, audience: Any = None, now: datetime) -> Counted:
    """How many a run would bring in, before it begins, in the caller's transaction; rollout, holdout and re-entry are
    decided when they enter. Estimated where counting takes too long."""
    return counted(condition(definition, workflow_id=workflow_id, kind=kind, audience=audience, now=now))


def begin(
    *,
    workflow_id: int,
    version_id: int,
    kind: str,
    by: str,
    now: datetime,
    audience: Any = None,
    properties: Mapping[str, Any] | None = None,
    scheduled_for: datetime | None = None,
    expected: int | None = None,
) -> EntryRun:
    """Begin a run, in the caller's transaction. The workflow is live, or is just being published; `audience` is a
    condition that was read. Contacts who come after this moment are not looked at."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT COALESCE(max(id), 0) FROM contacts")
        (up_to,) = cursor.fetchone()
    run = EntryRun.objects.create(
        workflow_id=workflow_id,
        version_id=version_id,
        kind=kind,
        audience=audience,
        properties=dict(properties or {}),
        scheduled_for=scheduled_for,
        expected=expected,
        up_to=up_to,
        started_by=by,
        started_at=now,
    )
    run.refresh_from_db(fields=["public_id"])
    doorbell.ring_on_commit(BELL, LANE)
    return run


def stop(*, public_id: UUID, now: datetime) -> bool:
    """Whoever has entered stays. Returns whether it was running."""
    running = EntryRun.objects.filter(public_id=public_id, state="running")
    return running.update(state="stopped", finished_at=now) == 1


def stop_all(*, workflow_id: int, now: datetime, kind: str | None = None) -> None:
    running = EntryRun.objects.filter(workflow_id=workflow_id, state="running")
    (running if kind is None else running.filter(kind=kind)).update(state="stopped", finished_at=now)


def share(run: EntryRun) -> float:
    """How far it is, from 0 to 1: by those who were counted before, else by the ids that it has passed."""
    if run.state == "done" or not run.up_to:
        return 1.0
    if run.expected:
        return min((run.entered + run.refused) / run.expected, NEARLY)
    return min(run.position / run.up_to, NEARLY)


def enter_slice(*, slice_: int = SLICE, page: int = LOOKED_AT) -> bool:
    """A slice of each of the runs of live workflows: a short one does not wait for the end of a long one. Returns
    whether there was any to do that nobody else does."""
    return any([_work_on(run, slice_, page) for run in _running()])


def _running() -> list[EntryRun]:
    runs = EntryRun.objects.filter(state="running", workflow__status="live").exclude(
        Exists(Freeze.objects.filter(workflow_id=None, ended_at=None))
    )
    return list(runs.order_by("id")[:20])


def _work_on(run: EntryRun, slice_: int, page: int) -> bool:
    standing = entering.standings([run.workflow_id])[run.workflow_id]
    found = _look(run, standing, slice_, page, clock.now())
    chaos.point("entry_runs.looked")
    return serializable.run(partial(_enter, run.pk, run.position, found))


def _enter(run_id: int, position: int, found: Slice) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", [LOCK_CLASS, run_id % 2**31])
        if not cursor.fetchone()[0]:
            return False
    run = EntryRun.objects.get(pk=run_id)
    standing = entering.standings([run.workflow_id])[run.workflow_id]
    if run.state != "running" or standing.status != "live":
        return False
    if run.position != position:
        return True  # somebody else was faster, and there may be more
    now = clock.now()
    entered = refused = 0
    if found.contact_ids and standing.version is not None:
        done = entering.enter(
            [
                entering.candidate(
                    standing.version,
                    contact_id,
                    kind=run.kind,
                    properties=run.properties,
                    lane=LANE,
                    now=now,
                    confirmed=True,
                )
                for contact_id in found.contact_ids
            ],
            now=now,
        )
        entered, refused = done.count, len(done.refused)
    over = found.end >= run.up_to
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE entry_runs SET position = %s, looked_at = looked_at + %s, entered = entered + %s,
                   refused = refused + %s, state = %s, finished_at = %s
             WHERE id = %s AND position = %s AND state = 'running'
            """,
            [
                found.end,
                found.looked_at,
                entered,
                refused,
                "done" if over else "running",
                now if over else None,
                run.pk,
                run.position,
            ],
        )
        if cursor.rowcount != 1:
            raise RuntimeError(f"entry run {run.pk} moved under our lock")
    chaos.point("entry_runs.entered")
    return True


def _look(run: EntryRun, standing: Standing, slice_: int, page: int, now: datetime) -> Slice:
    """The next contacts by id: of the next `page`, the first `slice_` who are looked for."""
    assert standing.version is not None
    where = condition(
        standing.version.definition, workflow_id=run.workflow_id, kind=run.kind, audience=run.audience, now=now
    )
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH page AS MATERIALIZED (
                SELECT id FROM contacts WHERE id > %s AND id <= %s ORDER BY id LIMIT %s),
            found AS MATERIALIZED (
                SELECT c.id FROM page JOIN contacts c ON c.id = page.id WHERE {where.text} ORDER BY c.id LIMIT %s),
            reached AS (
                SELECT CASE WHEN (SELECT count(*) FROM found) = %s THEN (SELECT max(id) FROM found)
                            WHEN (SELECT count(*) FROM page) = %s THEN (SELECT max(id) FROM page)
                            ELSE %s END AS id)
            SELECT reached.id, (SELECT count(*) FROM page WHERE page.id <= reached.id),
                   (SELECT COALESCE(json_agg(found.id ORDER BY found.id), '[]')::text FROM found)
              FROM reached
            """,
            [run.position, run.up_to, page, *where.params, slice_, slice_, page, run.up_to],
        )
        end, looked_at, ids = cursor.fetchone()
    return Slice(tuple(json.loads(ids)), end, looked_at)
