"""Intake: events that were recorded are matched with the triggers of live workflows, in SERIALIZABLE batches.

A worker takes whole shards (a contact's events are all in one), so a contact's events keep their order and two
workers do not meet over one contact. Deleting the pending rows, claiming the keys and inserting the enrolments is one
transaction: killed anywhere, nothing has happened."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from django.db import connection

from contacts import chaos, clock, freezing, tracing
from contacts.conditions import Aliases, compile_condition
from contacts.conditions.fragment import TRUE
from contacts.conditions.tracing import shortened, trace
from workflows import serializable, versions
from workflows.entry import hops
from workflows.entry.enrol import Candidate, Refusal, enrol, entry_key, refusal, write_refusals
from workflows.versions import CompiledVersion
from workflows.watches import watch_checks

BATCH = 500
SHARDS_AT_ONCE = 8
ENGAGEMENT = frozenset({"email_opened", "email_clicked"})
LOCK_CLASS = {"urgent": 7301, "bulk": 7302}  # first key of the advisory locks; the shard is the second


@dataclass(frozen=True)
class Event:
    """An event as intake needs it. `properties` are plain JSON; `led_here` is what a trigger says of its chain."""

    id: int
    recorded_at: datetime
    contact_id: int
    type: str
    occurred_at: datetime
    key_hash: bytes
    properties: Mapping[str, Any]
    led_here: Mapping[str, Any] = field(default_factory=dict)
    watched: bool = False  # a wait or an exit of some version looks for its type


@dataclass(frozen=True)
class Verdict:
    """What a version says to an event. `read`: what the audience read of the contact, a JSON array."""

    matches: bool
    belongs: bool
    read: str = "[]"


def match_batch(*, lane: str, limit: int = BATCH) -> bool:
    """Match at most `limit` pending events of a lane. Returns whether there were any that this worker could take."""
    shards = _shards_with_work(lane)
    if not shards:
        return False
    return serializable.run(partial(_match, lane, shards, limit))


def _shards_with_work(lane: str) -> list[int]:
    """Read outside the transaction: its snapshot must be younger than its locks."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT s FROM generate_series(0, 15) AS s"
            " WHERE EXISTS (SELECT FROM pending_events p WHERE p.lane = %s AND p.shard = s)"
            f" AND {freezing.THAWED} ORDER BY random()",
            [lane],
        )
        return [row[0] for row in cursor.fetchall()]


def _match(lane: str, shards: list[int], limit: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT s FROM (SELECT s FROM unnest(%s::int[]) AS s LIMIT %s) AS mine"
            f" WHERE {freezing.THAWED} AND pg_try_advisory_xact_lock(%s, s)",
            [shards, SHARDS_AT_ONCE, LOCK_CLASS[lane]],
        )
        mine = [row[0] for row in cursor.fetchall()]
    if not mine:
        return False
    now = clock.now()
    taken, events = _take(lane, mine, limit)
    if chaos.mutant("intake.forgets_first"):  # a drill may build in a queue that forgets what it has handed out
        with connection.cursor() as cursor:
            cursor.execute("COMMIT")
    chaos.point("intake.taken")
    if not taken:
        return False
    with tracing.batch("intake.match", links=partial(_contexts, events), size=taken, lane=lane):
        _start(lane, events, now)
    chaos.point("intake.matched")
    return True


def _contexts(events: list[Event]) -> list[str]:
    return tracing.of_events([event.id for event in events], [event.recorded_at for event in events])


def _start(lane: str, events: list[Event], now: datetime) -> None:
    """What follows from these events: looks at waits and exits, and enrolments."""
    watch_checks.after_events(
        [(event.contact_id, event.type, event.occurred_at) for event in events if event.watched], lane=lane, now=now
    )
    triggers, paused = _triggers({event.type for event in events})
    candidates = [event for event in events if event.type in triggers and not _is_machine(event)]
    if candidates:
        claimed = _claim(candidates, now)
        _enrol(lane, [event for event in candidates if event.id in claimed], triggers, paused, now)


def _is_machine(event: Event) -> bool:
    """Opens and clicks by mail scanners start nothing: engagement means people, here as in conditions."""
    return event.type in ENGAGEMENT and event.properties.get("is_machine") is True


def _take(lane: str, shards: list[int], limit: int) -> tuple[int, list[Event]]:
    """How many events were taken off the queue, and those of them whose type some workflow, wait or exit is there for:
    most events start nothing, and need not be carried here to find that out."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH taken AS (
                DELETE FROM pending_events WHERE event_id IN (
                       SELECT event_id FROM pending_events WHERE lane = %s AND shard = ANY(%s)
                        ORDER BY event_id LIMIT %s)
                RETURNING event_id, recorded_at),
            waited_for AS (
                SELECT t.event_type FROM workflow_triggers t JOIN workflows w ON w.id = t.workflow_id
                 WHERE w.status IN ('live', 'paused')),
            watched AS (SELECT DISTINCT about FROM version_watches WHERE about LIKE 'event:%%'),
            found AS (
                SELECT e.id, e.recorded_at, e.contact_id, e.type, e.occurred_at, e.key_hash, e.properties,
                       CASE WHEN e.source = 'own' THEN (e.context -> 'via')::text END AS via,
                       (e.context -> 'carillon_hops')::text AS before, l.watched
                  FROM taken JOIN contact_events e ON e.id = taken.event_id AND e.recorded_at = taken.recorded_at
                 CROSS JOIN LATERAL (SELECT 'event:' || e.type IN (SELECT about FROM watched)
                                            OR EXISTS (SELECT FROM watched WHERE about = 'event:*') AS watched) AS l
                 WHERE l.watched OR e.type IN (SELECT event_type FROM waited_for))
            SELECT counted.taken, found.*
              FROM (SELECT count(*) AS taken FROM taken) AS counted LEFT JOIN found ON true ORDER BY found.id
            """,
            [lane, shards, limit],
        )
        rows = cursor.fetchall()
        return rows[0][0], [
            Event(
                found,
                recorded_at,
                contact,
                kind,
                occurred_at,
                bytes(key),
                _plain(properties),
                hops.stored(via, before),
                watched,
            )
            for _, found, recorded_at, contact, kind, occurred_at, key, properties, via, before, watched in rows
            if found is not None
        ]


def _plain(value: Any) -> Mapping[str, Any]:
    """Django hands raw jsonb over as text."""
    return json.loads(value) if isinstance(value, str) else value


def _triggers(types: set[str]) -> tuple[dict[str, list[int]], set[int]]:
    """Event type -> the versions that it may start; and those of them whose workflow is paused, which enrol nobody."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT t.event_type, t.version_id, w.status FROM workflow_triggers t"
            "  JOIN workflows w ON w.id = t.workflow_id"
            " WHERE w.status IN ('live', 'paused') AND t.event_type = ANY(%s) ORDER BY t.workflow_id",
            [sorted(types)],
        )
        found: dict[str, list[int]] = {}
        paused: set[int] = set()
        for event_type, version_id, status in cursor.fetchall():
            found.setdefault(event_type, []).append(version_id)
            if status == "paused":
                paused.add(version_id)
        return found, paused


def _claim(events: list[Event], now: datetime) -> set[int]:
    """The events whose key starts nothing else yet: a key that was used before is a duplicate."""
    ordered = sorted(events, key=lambda event: event.key_hash)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO processed_triggers (key_hash, event_id, processed_at)"
            " SELECT d.*, %s FROM unnest(%s::bytea[], %s::bigint[]) AS d ON CONFLICT DO NOTHING RETURNING event_id",
            [now, [event.key_hash for event in ordered], [event.id for event in ordered]],
        )
        return {row[0] for row in cursor.fetchall()}


def _enrol(lane: str, events: list[Event], triggers: dict[str, list[int]], paused: set[int], now: datetime) -> None:
    compiled = versions.load(version_id for found in triggers.values() for version_id in found)
    entering: list[Candidate] = []
    refused: list[Refusal] = []
    for version in sorted(compiled.values(), key=lambda version: version.workflow_id):
        mine = [event for event in events if version.id in triggers.get(event.type, ())]
        found = _judge(version, mine, now)
        for event in mine:
            verdict = found.get(event.id, Verdict(matches=False, belongs=False))
            if not verdict.matches:
                continue
            candidate = _candidate(version, event, lane)
            if version.id in paused:
                refused.append(refusal(candidate, "paused"))
            elif not verdict.belongs:
                refused.append(refusal(candidate, "audience", {"read": json.loads(shortened(verdict.read))}))
            else:
                entering.append(candidate)
    refused += enrol(entering, now=now)
    write_refusals(refused, now=now)


def _judge(version: CompiledVersion, events: list[Event], now: datetime) -> dict[int, Verdict]:
    """Which events the trigger's filter matches, and whose contacts belong to the audience, with what was read of them.
    One statement, or none."""
    if not events or (version.where is None and version.audience is None):
        return {event.id: Verdict(matches=True, belongs=True) for event in events}
    aliases = Aliases(contact="c", event="e")
    where = compile_condition(version.where, now=now, aliases=aliases) if version.where is not None else TRUE
    audience = trace([version.audience] if version.audience is not None else [], now=now, aliases=aliases)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT e.id, {where.text}, {audience.truths[0] if audience.truths else 'TRUE'}, {audience.values}::text"
            "  FROM unnest(%s::bigint[], %s::timestamptz[]) AS b(id, recorded_at)"
            "  JOIN contact_events e ON e.id = b.id AND e.recorded_at = b.recorded_at"
            "  JOIN contacts c ON c.id = e.contact_id"
            f" CROSS JOIN LATERAL {audience.leaves.text}",
            [
                *where.params,
                [event.id for event in events],
                [event.recorded_at for event in events],
                *audience.leaves.params,
            ],
        )
        return {event_id: Verdict(*verdict) for event_id, *verdict in cursor.fetchall()}


def _candidate(version: CompiledVersion, event: Event, lane: str) -> Candidate:
    return Candidate(
        version=version,
        contact_id=event.contact_id,
        event_id=event.id,
        entry_key=entry_key(version, event.properties),
        lane="bulk" if lane == "bulk" else version.definition.settings.lane,
        trigger={
            "type": event.type,
            "event_id": event.id,
            "occurred_at": event.occurred_at.isoformat(),
            "properties": dict(event.properties),
            **event.led_here,
        },
    )
