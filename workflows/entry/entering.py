"""Entries that no event brings about: somebody asks for them, or the calendar does. They pass the same gates as events
do, in the same order, and leave the same reasons."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from contacts.conditions import Aliases
from contacts.conditions.tracing import shortened, trace
from workflows import versions
from workflows.entry import hops
from workflows.entry.enrol import Candidate, Refusal, enrol, entry_key, refusal, write_refusals
from workflows.versions import CompiledVersion


@dataclass(frozen=True)
class Standing:
    """A workflow as an entry meets it. `version` is None where it was never published."""

    slug: str
    status: str
    version: CompiledVersion | None


@dataclass(frozen=True)
class Entered:
    """How many enrolled, and who did not."""

    count: int
    refused: tuple[Refusal, ...]


def standings(workflow_ids: Collection[int]) -> dict[int, Standing]:
    """How these workflows stand. One statement, and one for each version that this process has not met."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, slug, status, live_version_id FROM workflows WHERE id = ANY(%s)", [sorted(workflow_ids)]
        )
        rows = cursor.fetchall()
    compiled = versions.load(version_id for *_, version_id in rows if version_id is not None)
    return {workflow_id: Standing(slug, status, compiled.get(live)) for workflow_id, slug, status, live in rows}


def candidate(
    version: CompiledVersion,
    contact_id: int,
    *,
    kind: str,
    properties: Mapping[str, Any],
    lane: str,
    now: datetime,
    confirmed: bool = False,
    led_by: int = 0,
) -> Candidate:
    """`kind`: what the trigger is said to be; `properties` are its `trigger.*`; `confirmed`: see Candidate; `led_by`:
    so many journeys and calls (`hops`)."""
    return Candidate(
        version=version,
        contact_id=contact_id,
        event_id=None,
        entry_key=entry_key(version, properties),
        lane=lane,
        trigger={
            "type": kind,
            "event_id": None,
            "occurred_at": now.isoformat(),
            "properties": dict(properties),
            **hops.led_here((), led_by),
        },
        confirmed=confirmed,
    )


def enter(candidates: Sequence[Candidate], *, now: datetime, refused: Sequence[Refusal] = ()) -> Entered:
    """Let those in whom the audience and everything else lets in, in the caller's SERIALIZABLE transaction; write down
    why the others do not enter, those among them who were `refused` before."""
    outside: list[Refusal] = list(refused)
    entering: list[Candidate] = []
    by_version: dict[int, list[Candidate]] = {}
    for each in candidates:
        by_version.setdefault(each.version.id, []).append(each)
    for _, mine in sorted(by_version.items()):
        read = _outside_the_audience(mine[0].version, [each.contact_id for each in mine], now)
        entering += [each for each in mine if each.contact_id not in read]
        outside += [
            refusal(each, "audience", {"read": read[each.contact_id]}) for each in mine if each.contact_id in read
        ]
    kept_out = enrol(entering, now=now)
    everybody = (*outside, *kept_out)
    write_refusals(everybody, now=now)
    return Entered(len(entering) - len(kept_out), everybody)


def _outside_the_audience(version: CompiledVersion, contact_ids: Collection[int], now: datetime) -> dict[int, Any]:
    """Who does not belong to it -> what was read of them. One statement, or none."""
    if version.audience is None:
        return {}
    audience = trace([version.audience], now=now, aliases=Aliases(contact="c"))
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT c.id, {audience.values}::text FROM contacts c CROSS JOIN LATERAL {audience.leaves.text}"
            f" WHERE c.id = ANY(%s) AND NOT {audience.truths[0]}",
            [*audience.leaves.params, sorted(set(contact_ids))],
        )
        return {contact_id: json.loads(shortened(read)) for contact_id, read in cursor.fetchall()}
