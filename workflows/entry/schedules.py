"""Workflows that start by the calendar: when they start next, and the run that begins then.

Any number of processes may see an occurrence due. One of them moves `next_at`, by compare-and-set, in the transaction
that begins the run; and no occurrence has two runs, says a constraint. Of occurrences that were missed while nothing
ran, the latest is made up for, once. A paused workflow lets its occurrences pass."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from django.conf import settings as installation
from django.db import connection

from contacts import chaos, freezing
from contacts.wall_clock import choose_zone
from workflows import versions
from workflows.entry import entry_runs, recurrence
from workflows.entry.recurrence import Recurrence
from workflows.models import TriggerSchedule
from workflows.triggers.schedule import Schedule
from workflows.versions import CompiledVersion

KIND = "schedule"
MOST_MISSED = 100_000  # occurrences that are passed over at once


def arrange(version: CompiledVersion, *, published_at: datetime, now: datetime) -> None:
    """The version's next occurrence takes the place of what the workflow had, in the transaction that publishes it."""
    trigger = version.definition.entry.trigger
    assert isinstance(trigger, Schedule)
    rule = recurrence.parse(trigger.rrule)
    next_at = recurrence.next_after(rule, published_at=published_at, after=now, tz=zone_of(version))
    TriggerSchedule.objects.create(workflow_id=version.workflow_id, version_id=version.id, kind=KIND, next_at=next_at)


def start_due(*, now: datetime) -> bool:
    """Begin the run of one workflow whose next occurrence has come, in the caller's transaction. Returns whether there
    was one."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT s.workflow_id, s.version_id, s.next_at, v.published_at, w.status
              FROM trigger_schedules s JOIN workflow_versions v ON v.id = s.version_id
              JOIN workflows w ON w.id = s.workflow_id
             WHERE s.kind = 'schedule' AND s.next_at <= %s AND {freezing.THAWED} ORDER BY s.next_at LIMIT 1
            """,
            [now],
        )
        row = cursor.fetchone()
        if row is None:
            return False
        workflow_id, version_id, next_at, published_at, status = row
        chaos.point("schedules.seen")
        version = versions.load([version_id])[version_id]
        trigger = version.definition.entry.trigger
        assert isinstance(trigger, Schedule)
        latest, following = around(
            recurrence.parse(trigger.rrule), first=next_at, published_at=published_at, now=now, tz=zone_of(version)
        )
        cursor.execute(
            "UPDATE trigger_schedules SET next_at = %s WHERE workflow_id = %s AND version_id = %s AND next_at = %s",
            [following, workflow_id, version_id, next_at],
        )
        if cursor.rowcount == 1 and status == "live":
            entry_runs.begin(
                workflow_id=workflow_id,
                version_id=version_id,
                kind=KIND,
                audience=trigger.standing(),
                properties={"scheduled_for": latest.isoformat()},
                scheduled_for=latest,
                by=KIND,
                now=now,
            )
    return True


def around(
    rule: Recurrence, *, first: datetime, published_at: datetime, now: datetime, tz: ZoneInfo
) -> tuple[datetime, datetime | None]:
    """The latest occurrence up to `now`, of which `first` is one, and the one after it; None: it was the last. Pure."""
    latest = first
    coming = recurrence.occurrences(rule, published_at=published_at, after=first, tz=tz)
    for _, instant in zip(range(MOST_MISSED), coming, strict=False):
        if instant > now:
            return latest, instant
        latest = instant
    return latest, None


def zone_of(version: CompiledVersion) -> ZoneInfo:
    return choose_zone(version.definition.settings.default_timezone or "", installation.DEFAULT_TIMEZONE)
