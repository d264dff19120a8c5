"""Putting contacts into workflows: re-entry decided, enrolments inserted, refusals written. Every way in calls this.

The check and the insert happen in the caller's SERIALIZABLE transaction; the named unique constraints are the promise
behind it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from contacts import chaos, doorbell, durations
from contacts.merged import living_ids
from contacts.privacy import restricting
from workflows import admission, condition_nodes, signals
from workflows.entry import brake, hops
from workflows.entry.buckets import bucket, in_share
from workflows.signals import Moved
from workflows.versions import CompiledVersion
from workflows.watches import looking


@dataclass(frozen=True)
class Candidate:
    """A contact whom an event, or whoever asks for it, would bring into a version. `trigger` is kept with the enrolment
    for `trigger.*`. `confirmed`: a person was told how many would enter, and said yes: the brake lets them pass."""

    version: CompiledVersion
    contact_id: int
    event_id: int | None
    entry_key: str
    lane: str
    trigger: Mapping[str, Any]
    confirmed: bool = False

    @property
    def place(self) -> tuple[int, int, str]:
        return (self.contact_id, self.version.workflow_id, self.entry_key)


@dataclass(frozen=True)
class Refusal:
    """Why a matching event enrolled nobody. `detail`: what was read, such as {"read": [values of the audience]}; where
    no event was there, `by`: what kind of trigger."""

    workflow_id: int
    contact_id: int
    event_id: int | None
    # audience · rollout · holdout · re_entry · restricted · contact_erased · paused · loop · too_often · not_live
    reason: str
    version_id: int | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Entered:
    """A new enrolment."""

    id: int
    state: str  # pending · active


@dataclass(frozen=True)
class Past:
    """What a contact did in a workflow so far, under one entry key. `lately`: how often they entered within a day."""

    unfinished: bool
    finished_at: datetime | None
    lately: int


def enrol(candidates: Sequence[Candidate], *, now: datetime) -> list[Refusal]:
    """Enrol whom rollout, holdout and the re-entry policy let in, in the given order. Returns the refused; the caller
    writes them down.

    Nobody enters whose data may not be worked with, nor at the end of a chain that is too long (`hops`), nor more than
    ENTRIES_PER_CONTACT_PER_DAY times within a day, so whatever goes round in a circle comes to rest. Call inside a
    SERIALIZABLE transaction. Five statements, whatever the number."""
    if not candidates:
        return []
    candidates = _living(candidates)
    barred = restricting.barred({candidate.contact_id for candidate in candidates})
    past = _past(candidates, now)
    lately: Counter[tuple[int, int]] = Counter()
    for (contact_id, workflow_id, _), each in past.items():
        lately[contact_id, workflow_id] += each.lately
    admitted: dict[tuple[int, int, str], Candidate] = {}
    refused: list[Refusal] = []
    for candidate in candidates:
        if reason := barred.get(candidate.contact_id) or _left_out(candidate):
            refused.append(refusal(candidate, reason, _read(candidate, reason)))
        elif candidate.place in admitted or not _may_enter(candidate, past.get(candidate.place), now):
            refused.append(refusal(candidate, "re_entry", _policy(candidate, past.get(candidate.place))))
        elif lately[candidate.place[:2]] >= settings.ENTRIES_PER_CONTACT_PER_DAY:
            refused.append(refusal(candidate, "too_often", {"entered": lately[candidate.place[:2]]}))
        else:
            admitted[candidate.place] = candidate
            lately[candidate.place[:2]] += 1
    chaos.point("entry.decided")
    entered = _insert(list(admitted.values()), now)
    refused += [refusal(candidate, "re_entry") for place, candidate in admitted.items() if place not in entered]
    counts: Counter[tuple[int, int, str, str]] = Counter()
    for place, found in entered.items():
        version = admitted[place].version
        counts[version.workflow_id, version.id, "", "entered"] += 1
        counts[version.workflow_id, version.id, version.definition.start, found.state] += 1
    deltas = tuple(Moved(*where, n) for where, n in sorted(counts.items()))
    if deltas:
        signals.enrolments_moved.send(sender=None, deltas=deltas, now=now)
    brake.note(
        Counter(admitted[place].version.workflow_id for place in entered if not admitted[place].confirmed), now=now
    )
    if pending := {admitted[place].lane for place, found in entered.items() if found.state == "pending"}:
        admission.ring(tuple(sorted(pending)))
    for lane in sorted({admitted[place].lane for place in entered}):
        of_lane = [candidate.contact_id for place, candidate in admitted.items() if candidate.lane == lane]
        condition_nodes.mark(of_lane, lane=lane, now=now)
        transaction.on_commit(partial(doorbell.ring, "workflows.advance", lane))
    looking.after_entering(
        [
            (admitted[place].version, found.id, admitted[place].contact_id, admitted[place].lane)
            for place, found in entered.items()
        ],
        now=now,
    )
    return refused


def _living(candidates: Sequence[Candidate]) -> list[Candidate]:
    """An event that was recorded while its contact was merged brings in the contact that it lives on in."""
    living = living_ids({candidate.contact_id for candidate in candidates})
    moved = {asked: found for asked, found in living.items() if asked != found}
    return [
        replace(candidate, contact_id=moved[candidate.contact_id]) if candidate.contact_id in moved else candidate
        for candidate in candidates
    ]


def _left_out(candidate: Candidate) -> str:
    """Why the contact does not enter: the chain that led here is too long, or they belong to a share that does not;
    empty if they do."""
    if hops.is_too_long(candidate.trigger):
        return "loop"
    settings, workflow_id = candidate.version.definition.settings, candidate.version.workflow_id
    if not in_share(f"rollout:{workflow_id}", candidate.contact_id, settings.rollout_percent):
        return "rollout"
    if in_share(f"holdout:{workflow_id}", candidate.contact_id, settings.holdout_percent):
        return "holdout"
    return ""


def refusal(candidate: Candidate, reason: str, detail: Mapping[str, Any] | None = None) -> Refusal:
    """What is written down of a candidate who does not enter."""
    by = {"by": candidate.trigger.get("type", "")} if candidate.event_id is None else {}
    version = candidate.version
    return Refusal(
        version.workflow_id, candidate.contact_id, candidate.event_id, reason, version.id, {**by, **(detail or {})}
    )


def _read(candidate: Candidate, reason: str) -> dict[str, Any]:
    """The chain; or the contact's bucket of 10,000, and how large the share is."""
    if reason == "loop":
        return hops.kept(candidate.trigger)
    if reason not in ("rollout", "holdout"):
        return {}
    percent = getattr(candidate.version.definition.settings, f"{reason}_percent")
    return {"bucket": bucket(f"{reason}:{candidate.version.workflow_id}", candidate.contact_id), "percent": percent}


def _policy(candidate: Candidate, past: Past | None) -> dict[str, Any]:
    """What the re-entry policy read; nothing of the past where the same batch brings the contact in already."""
    read: dict[str, Any] = {"policy": candidate.version.definition.entry.re_entry.policy}
    if past is not None and past.unfinished:
        read["unfinished"] = True
    elif past is not None and past.finished_at is not None:
        read["finished_at"] = past.finished_at.isoformat()
    return read


def entry_key(version: CompiledVersion, properties: Mapping[str, Any]) -> str:
    """What tells entries of one contact apart, where the version asks for it: the value at a dotted path of the
    properties, as text; empty where there is none."""
    path = version.definition.entry.re_entry.key
    if not path:
        return ""
    value: Any = properties
    for part in path.removeprefix("event.").split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return "" if value is None else str(value)[:500]


def _past(candidates: Sequence[Candidate], now: datetime) -> dict[tuple[int, int, str], Past]:
    a_day_ago = now - durations.window("P1D", speed=settings.TIME_SPEED)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT e.contact_id, e.workflow_id, e.entry_key, bool_or(e.finished_at IS NULL), max(e.finished_at),
                   count(*) FILTER (WHERE e.entered_at > %s)
              FROM (SELECT DISTINCT * FROM unnest(%s::bigint[], %s::bigint[])) AS w(contact_id, workflow_id)
              JOIN workflow_enrolments e ON e.contact_id = w.contact_id AND e.workflow_id = w.workflow_id
             GROUP BY 1, 2, 3
            """,
            [
                a_day_ago,
                [candidate.contact_id for candidate in candidates],
                [candidate.version.workflow_id for candidate in candidates],
            ],
        )
        return {tuple(row[:3]): Past(*row[3:]) for row in cursor.fetchall()}


def _may_enter(candidate: Candidate, past: Past | None, now: datetime) -> bool:
    rule = candidate.version.definition.entry.re_entry
    if past is None:
        return True
    if past.unfinished or rule.policy == "never":
        return False
    if rule.policy == "after_cooldown" and past.finished_at is not None:
        return past.finished_at + durations.window(rule.cooldown or "P0D", speed=settings.TIME_SPEED) <= now
    return True


def _insert(candidates: list[Candidate], now: datetime) -> dict[tuple[int, int, str], Entered]:
    """Who entered, and in which state: pending under a concurrency cap, or while the brake holds the workflow."""
    candidates.sort(key=lambda candidate: candidate.place)
    asked = [candidate.version.definition.settings for candidate in candidates]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO workflow_enrolments (workflow_id, version_id, contact_id, entry_key, once, lane, state, step,
                                             seq, wake_at, entered_at, entry_event_id, trigger, exit_reason,
                                             capped, snapshot)
            SELECT d.workflow_id, d.version_id, d.contact_id, d.entry_key, d.once, d.lane,
                   CASE WHEN d.capped OR (d.brakes AND EXISTS (
                             SELECT FROM enrolment_brakes b
                              WHERE b.workflow_id = d.workflow_id AND b.released_at IS NULL))
                        THEN 'pending' ELSE 'active' END,
                   d.step, 0, %s, %s, d.event_id, d.trigger, '', d.capped,
                   CASE WHEN d.frozen THEN (SELECT attributes FROM contacts c WHERE c.id = d.contact_id) END
              FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::text[], %s::boolean[], %s::boolean[],
                          %s::text[], %s::text[], %s::bigint[], %s::jsonb[], %s::boolean[], %s::boolean[])
                   AS d(workflow_id, version_id, contact_id, entry_key, once, brakes, lane, step, event_id, trigger,
                        capped, frozen)
            ON CONFLICT DO NOTHING
            RETURNING contact_id, workflow_id, entry_key, id, state
            """,
            [
                now,
                now,
                [candidate.version.workflow_id for candidate in candidates],
                [candidate.version.id for candidate in candidates],
                [candidate.contact_id for candidate in candidates],
                [candidate.entry_key for candidate in candidates],
                [candidate.version.definition.entry.re_entry.policy == "never" for candidate in candidates],
                [not candidate.confirmed for candidate in candidates],
                [candidate.lane for candidate in candidates],
                [candidate.version.definition.start for candidate in candidates],
                [candidate.event_id for candidate in candidates],
                [json.dumps(dict(candidate.trigger)) for candidate in candidates],
                [settings.concurrency_cap is not None for settings in asked],
                [settings.snapshot_attributes for settings in asked],
            ],
        )
        return {(row[0], row[1], row[2]): Entered(*row[3:]) for row in cursor.fetchall()}


def write_refusals(refusals: Sequence[Refusal], *, now: datetime) -> None:
    """One statement; and the counters hear of it."""
    if not refusals:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO entry_refusals (workflow_id, contact_id, event_id, reason, version_id, detail, refused_at)
            SELECT d.*, %s FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::text[], %s::bigint[],
                                       %s::jsonb[]) AS d
            """,
            [
                now,
                [refusal.workflow_id for refusal in refusals],
                [refusal.contact_id for refusal in refusals],
                [refusal.event_id for refusal in refusals],
                [refusal.reason for refusal in refusals],
                [refusal.version_id for refusal in refusals],
                [json.dumps(dict(refusal.detail)) for refusal in refusals],
            ],
        )
    counts = Counter((refusal.workflow_id, refusal.reason) for refusal in refusals)
    deltas = tuple(Moved(workflow, 0, "", f"refused:{reason}", n) for (workflow, reason), n in sorted(counts.items()))
    signals.enrolments_moved.send(sender=None, deltas=deltas, now=now)
