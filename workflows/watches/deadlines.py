"""How long an event or condition wait lasts at most: decided at the arrival, kept in its row of the journal, and not
moved by a change of the contact's time zone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from django.conf import settings as installation
from django.db import connection

from contacts import wall_clock
from contacts.durations import BadDuration, parse_calendar
from workflows import waits
from workflows.definition.problems import Problem
from workflows.steps.base import Cohort, Member, WaitUntil

KEPT = "deadline"  # in the detail of the arrival


def problems(timeout: str, step: str) -> Iterable[Problem]:
    """What is wrong with `config.timeout`."""
    try:
        parse_calendar(timeout)
    except BadDuration as error:
        yield Problem(step, "config.timeout", "bad_value", str(error))


def arrive(cohort: Cohort, arriving: Sequence[Member], timeout: str, now: datetime) -> dict[int, WaitUntil]:
    """The outcome of each arrival: look once more as soon as it is committed. By enrolment."""
    zones = cohort.timezones() if arriving else {}
    return {
        member.enrolment_id: WaitUntil(
            at=now,
            detail={KEPT: _deadline(timeout, now, _zone(cohort, zones.get(member.contact_id, ""))).isoformat()},
        )
        for member in arriving
    }


def kept(cohort: Cohort, waiting: Sequence[Member], timeout: str, now: datetime) -> dict[int, datetime]:
    """Until when each of these waits, by enrolment. One statement, or none.

    Where the journal has lost it (the contact was erased), it is counted anew from the arrival."""
    if not waiting:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT m.id, arrival.detail ->> %s
              FROM unnest(%s::bigint[]) AS m(id)
             CROSS JOIN LATERAL (
                   SELECT detail FROM workflow_journal j
                    WHERE j.enrolment_id = m.id AND j.step = %s AND j.outcome = 'waiting'
                    ORDER BY j.seq DESC LIMIT 1) AS arrival
            """,
            [KEPT, [member.enrolment_id for member in waiting], cohort.step],
        )
        found = {enrolment_id: text for enrolment_id, text in cursor.fetchall() if text}
    return {
        member.enrolment_id: datetime.fromisoformat(found[member.enrolment_id])
        if member.enrolment_id in found
        else _deadline(timeout, member.waiting_since or now, _zone(cohort, ""))
        for member in waiting
    }


def _zone(cohort: Cohort, name: str) -> ZoneInfo:
    return wall_clock.choose_zone(name, cohort.settings.default_timezone or "", installation.DEFAULT_TIMEZONE)


def _deadline(timeout: str, arrived: datetime, tz: ZoneInfo) -> datetime:
    duration = parse_calendar(timeout)
    return waits.after_duration(arrived=arrived, duration=duration, tz=tz, speed=installation.TIME_SPEED).at
