"""What stands between a contact and a journey, gate by gate, as of now: for whoever never came as far as to be refused
by intake, which keeps its own reasons."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection

from contacts import durations
from contacts.conditions import Aliases, Condition, explain
from contacts.conditions.tracing import told, trace
from contacts.privacy import restricting
from workflows import wording
from workflows.entry.buckets import in_share
from workflows.models import Workflow
from workflows.versions import CompiledVersion

ENGAGEMENT = frozenset({"email_opened", "email_clicked"})
LOOKED_AT = 50  # the newest events of the type


@dataclass(frozen=True)
class Gate:
    """`gate` names it; `read` is what it looked at: values, or [{"asked", "read"}] of a condition. `reason` is a
    sentence. `as_of`: "then" where it was written down when it happened, "now" where it is worked out today."""

    gate: str
    passed: bool
    read: Any
    reason: str
    as_of: str = "now"


@dataclass(frozen=True)
class Seen:
    """An event of the kind that starts the journey. `matches`: the trigger's filter, with what it read."""

    id: int
    occurred_at: datetime
    recorded_at: datetime
    processed: bool
    properties: Mapping[str, Any]
    matches: bool
    read: list[dict[str, Any]] = field(default_factory=list)


def stand(*, contact_id: int, workflow: Workflow, version: CompiledVersion | None, now: datetime) -> Iterator[Gate]:
    """The gates in their order; the last one is the first that says no, or all of them pass."""
    for gate in _gates(contact_id=contact_id, workflow=workflow, version=version, now=now):
        yield gate
        if not gate.passed:
            return


def _gates(*, contact_id: int, workflow: Workflow, version: CompiledVersion | None, now: datetime) -> Iterator[Gate]:
    yield Gate("workflow", workflow.status == "live", workflow.status, f"the journey is {workflow.status}")
    if version is None:
        return
    yield from _event_gates(contact_id, workflow, version, now)
    barred = restricting.barred([contact_id]).get(contact_id, "")
    yield Gate("restricted", not barred, barred or None, wording.refusal(barred) if barred else "the data may be used")
    if version.audience is not None:
        belongs, read = _asked(version.audience, contact_id, now)
        yield Gate("audience", belongs, read, f"the audience is whoever meets: {explain(version.audience)}")
    yield from _shares(contact_id, workflow, version)
    yield _re_entry(contact_id, workflow, version, now)


def _event_gates(contact_id: int, workflow: Workflow, version: CompiledVersion, now: datetime) -> Iterator[Gate]:
    kind = version.definition.entry.trigger.event_type()
    if kind is None:
        yield Gate(
            "event", False, None, "no event starts this journey: people are brought in by hand, by date or by schedule"
        )
        return
    events = _seen(kind, contact_id, version, now)
    if not events:
        yield Gate("event", False, None, f"“{kind}” never happened")
        return
    # the one that came furthest is the one to speak of
    event = max(events, key=lambda each: (each.processed, each.matches, each.recorded_at))
    read = {"event_id": event.id, "occurred_at": event.occurred_at.isoformat(), "properties": dict(event.properties)}
    yield Gate("event", True, read, f"“{kind}” happened on {event.occurred_at:%Y-%m-%d %H:%M} UTC")
    yield Gate("consent", event.processed, event.processed, _consent(event.processed))
    if version.where is not None:
        yield Gate("match", event.matches, event.read, f"the trigger asks that {explain(version.where)}")
    machine = kind in ENGAGEMENT and event.properties.get("is_machine") is True
    yield Gate(
        "human", not machine, machine, "a machine did it, not a person" if machine else "nobody took it for a machine"
    )
    age = event.recorded_at - event.occurred_at
    oldest = durations.window(settings.EVENT_TRIGGER_MAX_AGE, speed=1.0)
    yield Gate(
        "age", age <= oldest, age.total_seconds(), f"events older than {settings.EVENT_TRIGGER_MAX_AGE} start nothing"
    )
    first = workflow.versions.order_by("number").values_list("published_at", flat=True).first()
    if first is not None:
        when = f"the journey was published on {first:%Y-%m-%d %H:%M} UTC"
        yield Gate("published", event.recorded_at >= first, event.recorded_at.isoformat(), when)


def _consent(processed: bool) -> str:
    return "there was consent to use it" if processed else "there was no tracking consent when it came"


def _seen(kind: str, contact_id: int, version: CompiledVersion, now: datetime) -> list[Seen]:
    """The newest events of that type, each with whether the trigger's filter matches it."""
    conditions = [version.where] if version.where is not None else []
    traced = trace(conditions, now=now, aliases=Aliases(contact="c", event="e"))
    truth = traced.truths[0] if conditions else "TRUE"
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT e.id, e.occurred_at, e.recorded_at, e.processed, e.properties::text,"
            f" {truth}, {traced.values}::text FROM contact_events e JOIN contacts c ON c.id = e.contact_id"
            f" CROSS JOIN LATERAL {traced.leaves.text}"
            " WHERE e.contact_id = %s AND e.type = %s ORDER BY e.occurred_at DESC LIMIT %s",
            [*traced.leaves.params, contact_id, kind, LOOKED_AT],
        )
        return [
            Seen(
                id=event_id,
                occurred_at=occurred_at,
                recorded_at=recorded_at,
                processed=processed,
                properties=json.loads(properties),
                matches=matches,
                read=told(conditions, json.loads(values)),
            )
            for event_id, occurred_at, recorded_at, processed, properties, matches, values in cursor.fetchall()
        ]


def _asked(condition: Condition, contact_id: int, now: datetime) -> tuple[bool, list[dict[str, Any]]]:
    traced = trace([condition], now=now, aliases=Aliases(contact="c"))
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {traced.truths[0]}, {traced.values}::text FROM contacts c"
            f" CROSS JOIN LATERAL {traced.leaves.text} WHERE c.id = %s",
            [*traced.leaves.params, contact_id],
        )
        truth, values = cursor.fetchone()
        return truth, told([condition], json.loads(values))


def _shares(contact_id: int, workflow: Workflow, version: CompiledVersion) -> Iterator[Gate]:
    asked = version.definition.settings
    if asked.rollout_percent < 100:
        inside = in_share(f"rollout:{workflow.pk}", contact_id, asked.rollout_percent)
        yield Gate("rollout", inside, asked.rollout_percent, f"the journey is open to {asked.rollout_percent:g} %")
    if asked.holdout_percent > 0:
        held_out = in_share(f"holdout:{workflow.pk}", contact_id, asked.holdout_percent)
        yield Gate(
            "holdout", not held_out, asked.holdout_percent, f"{asked.holdout_percent:g} % get nothing, to compare"
        )


def _re_entry(contact_id: int, workflow: Workflow, version: CompiledVersion, now: datetime) -> Gate:
    rule = version.definition.entry.re_entry
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*), bool_or(finished_at IS NULL), max(finished_at) FROM workflow_enrolments"
            " WHERE contact_id = %s AND workflow_id = %s",
            [contact_id, workflow.pk],
        )
        times, unfinished, finished_at = cursor.fetchone()
    said = f"re-entry: {rule.policy.replace('_', ' ')}"
    if rule.cooldown:
        said += f" of {rule.cooldown}"
    if not times:
        return Gate("re_entry", True, 0, f"{said}; the contact has not been in it")
    free = not unfinished and rule.policy != "never"
    if free and rule.policy == "after_cooldown" and finished_at is not None:
        free = finished_at + durations.window(rule.cooldown or "P0D", speed=settings.TIME_SPEED) <= now
    return Gate("re_entry", free or bool(rule.key), times, f"{said}; the contact has been in it {times} times")
