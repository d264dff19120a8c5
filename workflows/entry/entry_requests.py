"""Journeys that send people on into others: what the step `enter_workflow` asked for is decided here."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from django.db import connection

from contacts import chaos, clock, freezing
from workflows import serializable
from workflows.entry import entering, hops
from workflows.entry.enrol import Candidate, Refusal, refusal
from workflows.entry.entering import Standing

BATCH = 500
LOCK_CLASS = {"urgent": 7306, "bulk": 7307}  # advisory locks: one worker at a time takes the requests of a lane


@dataclass(frozen=True)
class Request:
    """`trigger` becomes the enrolment's; its `via` names the journeys that led here."""

    workflow_id: int
    contact_id: int
    lane: str
    trigger: dict[str, Any]


def take_batch(*, lane: str, limit: int = BATCH) -> bool:
    """At most `limit` requests of a lane, in a SERIALIZABLE transaction that takes the rows away. Returns whether there
    were any that nobody else takes."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT EXISTS (SELECT FROM entry_requests WHERE lane = %s AND {freezing.THAWED})", [lane])
        if not cursor.fetchone()[0]:
            return False
    return serializable.run(partial(_take, lane, limit))


def _take(lane: str, limit: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK_CLASS[lane]])
        if not cursor.fetchone()[0]:
            return False
        now = clock.now()
        cursor.execute(
            f"""
            DELETE FROM entry_requests
             WHERE id IN (SELECT id FROM entry_requests WHERE lane = %s AND {freezing.THAWED} ORDER BY id LIMIT %s)
            RETURNING id, workflow_id, contact_id, trigger::text
            """,
            [lane, limit],
        )
        rows = sorted(cursor.fetchall())
    if not rows:
        return False
    standings = entering.standings({workflow_id for _, workflow_id, *_ in rows})
    candidates: list[Candidate] = []
    refused: list[Refusal] = []
    for _, workflow_id, contact_id, stored in rows:
        request = Request(workflow_id, contact_id, lane, json.loads(stored))
        verdict = _judge(standings.get(workflow_id), request, now)
        if isinstance(verdict, Candidate):
            candidates.append(verdict)
        else:
            refused.append(verdict)
    entering.enter(candidates, now=now, refused=refused)
    chaos.point("entry_requests.taken")
    return True


def _judge(standing: Standing | None, request: Request, now: datetime) -> Candidate | Refusal:
    """Whoever would come round again, or has come through too many journeys already, does not enter."""
    trigger = request.trigger
    via = hops.via(trigger)
    detail = {"by": trigger.get("type", ""), "via": list(via), **hops.kept(trigger)}
    if standing is None or standing.version is None or standing.status not in ("live", "paused"):
        return Refusal(request.workflow_id, request.contact_id, None, "not_live", None, detail)
    one = replace(
        entering.candidate(
            standing.version,
            request.contact_id,
            kind=str(trigger.get("type", "")),
            properties=trigger.get("properties") or {},
            lane="bulk" if request.lane == "bulk" else standing.version.definition.settings.lane,
            now=now,
        ),
        trigger=trigger,
    )
    if standing.status == "paused":
        return refusal(one, "paused", detail)
    if standing.slug in via or hops.is_too_long(trigger):
        return refusal(one, "loop", detail)
    return one
