"""Edit plans carried out: those who are under way in older versions are moved, or leave, a slice of contacts at a time.
A slice is one transaction that also moves the plan's position, so a killed worker loses nothing and nobody moves twice.

Who is moved keeps their wait (when it began, when it ends) where they come to the same wait, set to the same; at any
other step they arrive anew, at once. Whoever has not begun (`pending`) begins at the new version's start. The row of
the journal, `moved`, says where they stood; its step type is filled where their wait goes on.

The engine takes no row that is locked here, and a row that the engine works on is waited for: nobody is passed over."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db import connection, transaction

from contacts import doorbell
from workflows import admission, awaiting, signals, timers, variants, versions
from workflows.models import EditMove, EditPlan, Watch, Workflow, WorkflowVersion
from workflows.signals import Moved
from workflows.versions import CompiledVersion
from workflows.watches import exits, watch_checks, watching

SLICE = 1000
EXITED = "manually_removed"
UNDER_WAY = ("applying", "undoing")


@dataclass(frozen=True)
class Done:
    """What a statement did to one enrolment. `waited` · `waits`: whether it stood in a wait before, and stands in one
    now."""

    id: int
    contact_id: int
    lane: str
    version_id: int
    step: str
    waited: bool
    to_version_id: int
    to_step: str
    waits: bool
    state: str
    wake_at: datetime
    from_state: str


def work_batch(now: datetime) -> bool:
    """A slice of the oldest plan that is not done; in the caller's transaction. Returns whether there was one."""
    plan = EditPlan.objects.filter(state__in=UNDER_WAY).order_by("pk").first()
    return plan is not None and carry_on(plan.pk, now=now) is not None


def carry_on(plan_id: int, *, now: datetime, limit: int = SLICE) -> EditPlan | None:
    """The next slice of a plan, at most `limit` contacts; in the caller's transaction. Constant statements, whatever
    the number of people. Returns the plan as it is then, or None where it is done already.

    The workflow's row is locked first, as whoever publishes or archives it does."""
    workflow = Workflow.objects.filter(pk__in=EditPlan.objects.filter(pk=plan_id).values("workflow_id"))
    workflow.select_for_update(no_key=True).get()
    plan = EditPlan.objects.select_for_update(of=("self",)).select_related("to_version").get(pk=plan_id)
    if plan.state not in UNDER_WAY:
        return None
    (_apply if plan.state == "applying" else _undo)(plan, now, limit)
    return plan


# -- there -------------------------------------------------------------------------------------------------------------

# The contacts of a slice, in the order of the index of unfinished enrolments.
_NEXT = """
    SELECT contact_id FROM workflow_enrolments
     WHERE workflow_id = %s AND state IN ('pending', 'active', 'waiting') AND contact_id > %s
     ORDER BY contact_id LIMIT %s
"""
_LOCK = """
    SELECT id, version_id, step FROM workflow_enrolments
     WHERE workflow_id = %s AND state IN ('pending', 'active', 'waiting') AND contact_id > %s AND contact_id <= %s
       AND version_id <> %s AND step = ANY(%s)
     ORDER BY id FOR UPDATE
"""

# `kinds` says where each (version, step) leads. A wait goes on where the new step is the same wait, set to the same;
# but not where it would have been cut short by the end of a longest duration that the new version does not have.
# Whoever had a place of a capped version keeps it; who comes from outside into a capped one waits for a place.
_MOVE = """
WITH kinds AS (
    SELECT * FROM json_to_recordset(%(kinds)s)
        AS k(version_id bigint, step text, target text, same boolean, longest interval, type text)),
was AS MATERIALIZED (
    SELECT e.id, e.version_id, e.step, e.state, e.wake_at, e.waiting_since, e.seq, e.capped, e.held,
           CASE WHEN e.state = 'pending' THEN %(start)s ELSE k.target END AS target,
           e.waiting_since IS NOT NULL AND k.same AND e.state <> 'pending'
           AND (k.longest IS NULL OR k.longest = %(longest)s OR e.wake_at <> e.entered_at + k.longest) AS waits, k.type
      FROM workflow_enrolments e JOIN kinds k USING (version_id, step)
     WHERE e.id = ANY(%(ids)s) AND e.state IN ('pending', 'active', 'waiting')),
moved AS (
    UPDATE workflow_enrolments e
       SET version_id = %(version)s, step = d.target, seq = d.seq + 1, attempts = 0, capped = %(capped)s,
           state = CASE WHEN d.state = 'pending' OR (d.waits AND d.state = 'waiting') THEN d.state
                        WHEN %(capped)s AND NOT (d.state = 'active' AND d.capped) THEN 'waiting' ELSE 'active' END,
           held = %(capped)s AND NOT (d.state = 'pending' OR (d.state = 'active' AND d.capped)),
           wake_at = CASE WHEN d.waits THEN LEAST(d.wake_at, e.entered_at + %(longest)s::interval)
                          WHEN d.state = 'pending' THEN d.wake_at ELSE %(now)s END,
           waiting_since = CASE WHEN d.waits THEN d.waiting_since END,
           snapshot = CASE WHEN %(frozen)s AND e.snapshot IS NULL
                           THEN (SELECT attributes FROM contacts c WHERE c.id = e.contact_id) ELSE e.snapshot END
      FROM was d WHERE e.id = d.id
    RETURNING e.id, e.contact_id, e.lane, d.version_id, d.step, d.waiting_since IS NOT NULL AS waited,
              e.version_id AS to_version_id, e.step AS to_step, d.waits, e.state, e.wake_at, e.seq,
              d.state AS from_state, d.wake_at AS from_wake_at, d.waiting_since AS from_waiting_since, d.type),
kept AS (
    INSERT INTO edit_moves (plan_id, enrolment_id, from_version_id, from_step, from_state, from_wake_at,
                            from_waiting_since, seq)
    SELECT %(plan)s, id, version_id, step, from_state, from_wake_at, from_waiting_since, seq FROM moved),
written AS (
    INSERT INTO workflow_journal (enrolment_id, seq, contact_id, version_id, step, step_type, outcome, port, detail, at)
    SELECT id, seq, contact_id, version_id, step, CASE WHEN waits THEN type ELSE '' END, 'moved', '',
           %(detail)s::jsonb || jsonb_build_object('to_step', to_step), %(now)s
      FROM moved)
SELECT id, contact_id, lane, version_id, step, waited, to_version_id, to_step, waits, state, wake_at, from_state
  FROM moved
"""


def _apply(plan: EditPlan, now: datetime, limit: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_NEXT, [plan.workflow_id, plan.position, limit])
        contact_ids = [contact_id for (contact_id,) in cursor.fetchall()]
        found: list[tuple[int, int, str]] = []
        if contact_ids:
            bounds = (plan.position, contact_ids[-1])
            cursor.execute(_LOCK, [plan.workflow_id, *bounds, plan.to_version_id, sorted(plan.decisions)])
            found = cursor.fetchall()
    moving = [row for row in found if plan.decisions[row[2]]["do"] == "move"]
    leaving = [enrolment_id for enrolment_id, _, step in found if plan.decisions[step]["do"] == "exit"]
    if moving:
        _ready(plan.workflow_id, {plan.to_version_id}, now)
        plan.moved += _settle(_move(plan, moving, now), now=now)
    detail = {"plan": str(plan.public_id)}
    plan.exited += exits.leave(leaving, reason=EXITED, now=now, details=dict.fromkeys(leaving, detail))
    _step_on(plan, contact_ids[-1] if len(contact_ids) == limit else None, "applied", now)


def _move(plan: EditPlan, rows: Iterable[tuple[int, int, str]], now: datetime) -> list[Done]:
    to = versions.load([plan.to_version_id])[plan.to_version_id]
    rows = list(rows)
    old = versions.load(version_id for _, version_id, _ in rows)
    kinds = [
        _kind(old[version_id], step, to, plan.decisions[step]["to"])
        for version_id, step in sorted({(version_id, step) for _, version_id, step in rows})
    ]
    settings = to.definition.settings
    return _run(
        _MOVE,
        {
            "kinds": json.dumps(kinds),
            "ids": [enrolment_id for enrolment_id, _, _ in rows],
            "version": to.id,
            "start": to.definition.start,
            "longest": to.max_duration,
            "capped": settings.concurrency_cap is not None,
            "frozen": settings.snapshot_attributes,
            "plan": plan.pk,
            "detail": json.dumps({"plan": str(plan.public_id), "to_version": plan.to_version.number}),
            "now": now,
        },
    )


def _kind(old: CompiledVersion, step: str, to: CompiledVersion, target: str) -> dict[str, Any]:
    before, after = old.definition.steps[step], to.definition.steps[target]
    same = step == target and before.type == after.type and _config(old, step) == _config(to, target)
    longest = _text(old.max_duration)
    return {
        "version_id": old.id,
        "step": step,
        "target": target,
        "same": same,
        "longest": longest,
        "type": before.type,
    }


def _config(version: CompiledVersion, step: str) -> Any:
    """The settings as the step type reads them: what was left out and what is said as its default are the same."""
    return version.steps[step].kind.Config.model_validate(version.definition.steps[step].config)


def _text(length: timedelta | None) -> str | None:
    return None if length is None else f"{length.total_seconds()} seconds"


# -- and back ----------------------------------------------------------------------------------------------------------

_LOCK_BACK = """
    SELECT e.id FROM workflow_enrolments e
     WHERE e.id = ANY(%s) AND e.version_id = %s AND e.state IN ('pending', 'active', 'waiting')
       AND e.seq = (SELECT m.seq FROM edit_moves m WHERE m.plan_id = %s AND m.enrolment_id = e.id)
     ORDER BY e.id FOR UPDATE
"""
_BACK = """
WITH capped AS (SELECT * FROM json_to_recordset(%(kinds)s) AS k(version_id bigint, capped boolean, type jsonb)),
was AS MATERIALIZED (
    SELECT e.id, e.version_id, e.step, e.state, e.waiting_since, e.capped, m.from_version_id, m.from_step,
           m.from_wake_at, m.from_waiting_since, k.capped AS to_capped, k.type ->> m.from_step AS type, m.seq,
           CASE WHEN m.from_state = 'pending' THEN e.state ELSE m.from_state END AS from_state
      FROM edit_moves m JOIN workflow_enrolments e ON e.id = m.enrolment_id AND e.seq = m.seq
      JOIN capped k ON k.version_id = m.from_version_id
     WHERE m.plan_id = %(plan)s AND e.id = ANY(%(ids)s)),
moved AS (
    UPDATE workflow_enrolments e
       SET version_id = d.from_version_id, step = d.from_step, seq = d.seq + 1, attempts = 0, capped = d.to_capped,
           state = CASE WHEN d.from_state IN ('pending', 'waiting') THEN d.from_state
                        WHEN d.to_capped AND NOT (d.state = 'active' AND d.capped) THEN 'waiting' ELSE 'active' END,
           held = d.to_capped AND d.from_state <> 'pending'
                  AND NOT (d.from_state = 'active' AND d.state = 'active' AND d.capped),
           wake_at = d.from_wake_at, waiting_since = d.from_waiting_since
      FROM was d WHERE e.id = d.id
    RETURNING e.id, e.contact_id, e.lane, d.version_id, d.step, d.waiting_since IS NOT NULL AS waited,
              e.version_id AS to_version_id, e.step AS to_step, e.waiting_since IS NOT NULL AS waits, e.state,
              e.wake_at, e.seq, d.type, d.state AS from_state),
written AS (
    INSERT INTO workflow_journal (enrolment_id, seq, contact_id, version_id, step, step_type, outcome, port, detail, at)
    SELECT id, seq, contact_id, version_id, step, CASE WHEN waits THEN type ELSE '' END, 'moved', '',
           %(detail)s::jsonb || jsonb_build_object('to_step', to_step, 'to_version',
                                                   (SELECT number FROM workflow_versions v WHERE v.id = to_version_id)),
           %(now)s
      FROM moved)
SELECT id, contact_id, lane, version_id, step, waited, to_version_id, to_step, waits, state, wake_at, from_state
  FROM moved
"""


def _undo(plan: EditPlan, now: datetime, limit: int) -> None:
    moved = list(
        EditMove.objects.filter(plan_id=plan.pk, enrolment_id__gt=plan.position)
        .order_by("enrolment_id")
        .values_list("enrolment_id", "from_version_id")[:limit]
    )
    with connection.cursor() as cursor:
        cursor.execute(_LOCK_BACK, [[row[0] for row in moved], plan.to_version_id, plan.pk])
        ids = [enrolment_id for (enrolment_id,) in cursor.fetchall()]
    if ids:
        old = versions.load({version_id for _, version_id in moved})
        _ready(plan.workflow_id, set(old), now)
        kinds = [
            {
                "version_id": version.id,
                "capped": version.definition.settings.concurrency_cap is not None,
                "type": {key: step.type for key, step in version.definition.steps.items()},
            }
            for version in old.values()
        ]
        detail = json.dumps({"plan": str(plan.public_id), "undone": True})
        known = {"kinds": json.dumps(kinds), "ids": ids, "plan": plan.pk, "detail": detail, "now": now}
        plan.put_back += _settle(_run(_BACK, known), now=now)
    _step_on(plan, moved[-1][0] if len(moved) == limit else None, "undone", now)


# -- in common ---------------------------------------------------------------------------------------------------------


def _run(statement: str, known: Mapping[str, Any]) -> list[Done]:
    with connection.cursor() as cursor:
        cursor.execute(statement, known)
        return [Done(*row) for row in cursor.fetchall()]


def _ready(workflow_id: int, version_ids: set[int], now: datetime) -> None:
    """These versions get people again: what they watch may have been withdrawn since nobody was there."""
    for version in WorkflowVersion.objects.filter(pk__in=version_ids).order_by("pk"):
        watching.watch(version, now=now)
    awaiting.declare(workflow_id)


def _taken(done: list[Done]) -> dict[tuple[int, int], list[str]]:
    """The variants of each (enrolment, version), of those versions that have an experiment."""
    places = {(each.id, version_id) for each in done for version_id in (each.version_id, each.to_version_id)}
    splitting = versions.splitting(version_id for _, version_id in places)
    places = {place for place in places if place[1] in splitting}
    taken = variants.of(dict(places))
    return {place: [one.name for one in taken.get(place[0], ())] for place in places}


def _settle(done: list[Done], *, now: datetime) -> int:
    """What follows from the moves: counts, bells, and a look at who may have reached a goal of theirs. Returns how many
    there were."""
    if not done:
        return 0
    workflow_id = versions.load([done[0].to_version_id])[done[0].to_version_id].workflow_id
    taken = _taken(done)
    counts: Counter[tuple[int, str, str, str]] = Counter()
    for each in done:
        for version_id, metric in ((each.version_id, "moved_out"), (each.to_version_id, "moved_in")):
            for name in ("", *taken.get((each.id, version_id), ())):
                counts[version_id, "", metric, name] += 1
        counts[each.version_id, each.step, "moved_out", ""] += each.waited
        counts[each.to_version_id, each.to_step, "moved_in", ""] += each.waits
        counts[each.version_id, each.step, each.from_state, ""] -= 1
        counts[each.to_version_id, each.to_step, each.state, ""] += 1
    deltas = tuple(
        Moved(workflow_id, version_id, step, metric, amount, name)
        for (version_id, step, metric, name), amount in sorted(counts.items())
        if amount
    )
    signals.enrolments_moved.send(sender=None, deltas=deltas, now=now)
    watchful = set(
        Watch.objects.filter(version_id__in={each.to_version_id for each in done}).values_list("version_id", flat=True)
    )
    looked_at: dict[str, set[int]] = {}
    waiting: dict[str, list[tuple[int, datetime]]] = {}
    for each in done:
        if each.to_version_id in watchful:
            looked_at.setdefault(each.lane, set()).add(each.contact_id)
        if each.state == "waiting":
            waiting.setdefault(each.lane, []).append((each.id, each.wake_at))
    watch_checks.ask(looked_at, now=now)
    for lane, waits in waiting.items():
        transaction.on_commit(partial(timers.remember, waits, lane=lane))
    for lane in sorted({each.lane for each in done}):
        doorbell.ring_on_commit("workflows.advance", lane)
    admission.ring()
    return len(done)


def _step_on(plan: EditPlan, position: int | None, end: str, now: datetime) -> None:
    """Keep how far it came; `position` None: there is nobody left."""
    if position is None:
        plan.state = end
        plan.finished_at = plan.finished_at or now
    else:
        plan.position = position
    plan.save(update_fields=["state", "position", "moved", "exited", "put_back", "finished_at"])
