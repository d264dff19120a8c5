"""Dates that are due enter: what was written down is compared with what the contact has now."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from django.db import connection

from contacts import chaos, clock, freezing
from workflows import serializable
from workflows.entry import date_entries, entering
from workflows.entry.enrol import Candidate, Refusal, refusal
from workflows.entry.entering import Standing
from workflows.entry.entry_runs import LANE
from workflows.triggers.date import Date

BATCH = 500
LOCK = 7305  # of whoever takes due dates: one worker at a time


@dataclass(frozen=True)
class Due:
    id: int
    workflow_id: int
    contact_id: int
    occasion: str
    due_at: datetime


@dataclass
class Verdicts:
    """What becomes of the rows of a batch."""

    entering: list[Candidate] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    done: list[int] = field(default_factory=list)
    untrue: list[int] = field(default_factory=list)
    moved: list[tuple[int, datetime]] = field(default_factory=list)


def enter_batch(*, limit: int = BATCH) -> bool:
    """At most `limit` due dates, in a SERIALIZABLE transaction. Returns whether there were any that nobody else
    takes."""
    if not _any_due():
        return False
    return serializable.run(lambda: _enter(limit))


def _any_due() -> bool:
    """Read outside the transaction: its snapshot must be younger than its lock."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT EXISTS (SELECT FROM date_entries WHERE done_at IS NULL AND due_at <= %s AND {freezing.THAWED})",
            [clock.now()],
        )
        return cursor.fetchone()[0]


def _enter(limit: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
        if not cursor.fetchone()[0]:
            return False
        now = clock.now()
        cursor.execute(
            "SELECT id, workflow_id, contact_id, occasion, due_at FROM date_entries"
            f" WHERE done_at IS NULL AND due_at <= %s AND {freezing.THAWED} ORDER BY due_at, id LIMIT %s",
            [now, limit],
        )
        rows = [Due(*row) for row in cursor.fetchall()]
    if not rows:
        return False
    verdicts = Verdicts()
    standings = entering.standings({row.workflow_id for row in rows})
    for workflow_id, standing in sorted(standings.items()):
        _judge(standing, [row for row in rows if row.workflow_id == workflow_id], verdicts, now)
    known = {row.id for row in rows if row.workflow_id in standings}
    verdicts.untrue += [row.id for row in rows if row.id not in known]
    entering.enter(verdicts.entering, now=now, refused=verdicts.refused)
    _settle(verdicts, now)
    chaos.point("due_dates.entered")
    return True


def _judge(standing: Standing, rows: list[Due], verdicts: Verdicts, now: datetime) -> None:
    version = standing.version
    if version is None or standing.status == "archived" or not isinstance(version.definition.entry.trigger, Date):
        verdicts.untrue += [row.id for row in rows]
        return
    attribute = version.definition.entry.trigger.attribute
    people = date_entries.people_of(version, [row.contact_id for row in rows])
    for row in rows:
        person = people.get(row.contact_id)
        found = date_entries.occasion(version, person, row.occasion) if person else None
        if found is None:
            verdicts.untrue.append(row.id)
        elif found.due_at > now:
            verdicts.moved.append((row.id, found.due_at))
        else:
            properties = {"attribute": attribute, "date": row.occasion}
            one = entering.candidate(
                version, row.contact_id, kind=date_entries.KIND, properties=properties, lane=LANE, now=row.due_at
            )
            verdicts.done.append(row.id)
            if standing.status == "paused":
                verdicts.refused.append(refusal(one, "paused"))
            else:
                verdicts.entering.append(one)


def _settle(verdicts: Verdicts, now: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE date_entries SET done_at = %s WHERE id = ANY(%s)", [now, verdicts.done])
        cursor.execute("DELETE FROM date_entries WHERE id = ANY(%s)", [verdicts.untrue])
        cursor.execute(
            "UPDATE date_entries d SET due_at = m.due_at FROM unnest(%s::bigint[], %s::timestamptz[]) AS m(id, due_at)"
            " WHERE d.id = m.id",
            [[row_id for row_id, _ in verdicts.moved], [at for _, at in verdicts.moved]],
        )
