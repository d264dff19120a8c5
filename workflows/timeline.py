"""Journeys on a contact's timeline: entering, each step of the journal, leaving."""

from __future__ import annotations

import json
from typing import Any

from django.db import connection
from django.urls import reverse

from contacts import timeline
from contacts.timeline import Before, Entry, Source
from workflows import wording
from workflows.pages.enrolments import step_names

_TELLS = frozenset({"workflow_entered", "workflow_exited"})
# One number orders what one enrolment did at one instant: entering, its steps, leaving (a journey has 200 at most).
_PLACES = 1_000
_LAST_PLACE = _PLACES - 1

_OF_A_CONTACT = """
          FROM workflow_enrolments e
          JOIN workflows w ON w.id = e.workflow_id
          JOIN workflow_versions v ON v.id = e.version_id"""

_ROWS = f"""
    SELECT * FROM (
        SELECT e.id * {_PLACES} AS place, e.entered_at AS at, 'entered' AS what, e.id, w.name, v.number, e.version_id,
               '' AS step, '' AS step_type, '' AS port, '{{}}' AS detail
        {_OF_A_CONTACT}
         WHERE e.contact_id = %(contact)s
        UNION ALL
        SELECT e.id * {_PLACES} + {_LAST_PLACE}, e.finished_at, 'finished', e.id, w.name, v.number, e.version_id,
               e.step, e.state, e.exit_reason, '{{}}'
        {_OF_A_CONTACT}
         WHERE e.contact_id = %(contact)s AND e.finished_at IS NOT NULL
        UNION ALL
        SELECT e.id * {_PLACES} + least(j.seq, {_LAST_PLACE - 1}), j.at, j.outcome, e.id, w.name, v.number,
               e.version_id, j.step, j.step_type, j.port, j.detail::text
        {_OF_A_CONTACT}
          JOIN workflow_journal j ON j.enrolment_id = e.id
         WHERE e.contact_id = %(contact)s AND (%(alone)s OR j.step_type <> ALL(%(sends)s)) AND j.outcome <> 'left'
    ) told
     WHERE (at, place) < (%(at)s, %(place)s)
     ORDER BY at DESC, place DESC LIMIT %(limit)s
"""


def journeys(*, contact_id: int, before: Before, limit: int, alone: bool) -> list[Entry]:
    """Steps that send are told by the messages themselves, unless journeys are shown alone."""
    with connection.cursor() as cursor:
        cursor.execute(
            _ROWS,
            {
                "contact": contact_id,
                "alone": alone,
                "sends": sorted(wording.SENDS),
                "at": before.at,
                "place": before.id,
                "limit": limit,
            },
        )
        rows = cursor.fetchall()
    names = step_names({row[6] for row in rows})
    return [_entry(row, names) for row in rows]


def _entry(row: tuple[Any, ...], names: Any) -> Entry:
    place, at, what, enrolment_id, journey, number, version_id, step, step_type, port, detail = row
    where = f"{journey} v{number}"
    step_name = names.get((version_id, step), step)
    if what == "entered":
        title, told, icon, tone = f"Entered {where}", "", "login", "violet"
    elif what == "finished":  # step_type and port carry the state and the reason here
        title, icon, tone = {
            "completed": (f"Completed {where}", "check_circle", "emerald"),
            "failed": (f"Failed in {where}", "error", "rose"),
        }.get(step_type, (f"Left {where}", "logout", "violet"))
        told = "" if step_type == "completed" else f"{wording.exit_reason(port)}, at {step_name}"
    else:
        icon, tone = wording.icon(step_type)
        title, told = wording.journal(step_type, what, port, json.loads(detail)), f"{where} · {step_name}"
    return Entry(
        at=at,
        id=place,
        type=f"journey_{what}",
        title=title,
        detail=told,
        icon=icon,
        tone=tone,
        url=reverse("admin:workflows_enrolment_change", args=[enrolment_id]),
        url_shows="workflows.enrolment",
    )


timeline.register(Source("journeys", "Journeys", journeys, tells=_TELLS))
