"""What came of a try, from the rows that the engine and the post office left in the scratch.

    {"entered": bool, "answer": sentence, "zone": name, "contact": address or name, "notes": [sentence, …],
     "stops": [{"step", "at", "said", "more": [sentence, …], "read": [[question, value], …],
                "tone": went · skipped · waits · left · failed, "port", "until": instant or None,
                "put_off", "sent_at": instants, of messages that did not go out at once}, …],
     "ways": [[step, port], …]}          the lines that were taken

Instants are ISO 8601 in UTC; whoever shows them has the zone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection

from contacts.conditions.tracing import told
from contacts.models import Contact
from contacts.wall_clock import choose_zone
from delivery.wording import REASONS
from workflows import versions, wording
from workflows.builder.layout.graph import TRIGGER
from workflows.definition.sentences import mapping
from workflows.models import Enrolment, JournalEntry
from workflows.steps.branch import Prepared as Branch
from workflows.steps.wait_for_condition import Prepared as Watch
from workflows.versions import CompiledVersion

SHOWN = 500
START = "start"
_MESSAGES = """
    SELECT m.step, s.state, s.reason, s.changed_at, m.created_at
      FROM messages m JOIN message_states s ON s.message_id = m.id WHERE m.enrolment_id = %s ORDER BY m.id
"""
_PUT_OFF = """
    SELECT m.step, l.reason, l.evidence ->> 'until', l.at FROM contact_send_log l JOIN messages m ON m.id = l.message_id
     WHERE m.enrolment_id = %s AND l.kind = 'deferred' ORDER BY l.id
"""


def tell(enrolment: Enrolment, *, notes: list[str]) -> dict[str, Any]:
    version = versions.load([enrolment.version_id])[enrolment.version_id]
    rows = list(JournalEntry.objects.filter(enrolment_id=enrolment.pk).order_by("seq")[:SHOWN])
    stops: list[dict[str, Any]] = []
    ways: list[list[str]] = [[TRIGGER, START]]
    for row in rows:
        waited = stops[-1] if stops and stops[-1]["step"] == row.step and stops[-1]["tone"] == "waits" else None
        said = wording.journal(row.step_type, row.outcome, row.port, row.detail)
        if waited is not None and row.outcome != "waiting":
            waited.update(until=row.at.isoformat(), port=row.port, tone=_tone(row))
            waited["more"].append(said)
            waited["read"] += _read(row, version)
        elif waited is None:
            stops.append(_stop(row, said, _read(row, version)))
        if row.outcome == "advanced" and row.port:
            ways.append([row.step, row.port])
    _add_messages(enrolment.pk, stops)
    entered = {"step": TRIGGER, "at": enrolment.entered_at.isoformat(), "said": "Entered", "more": [], "tone": "went"}
    return {
        **_person(enrolment.contact_id, version.definition.settings.default_timezone or ""),
        "entered": True,
        "answer": _end(enrolment),
        "notes": notes,
        "stops": [{**entered, "port": START, "until": None, "read": []}, *stops],
        "ways": ways,
    }


def refused(
    contact_id: int, definition: Mapping[str, Any], answer: str, notes: list[str], *, at: datetime
) -> dict[str, Any]:
    """Of somebody who was not let in."""
    zone = mapping(definition.get("settings")).get("default_timezone")
    stop = {"step": TRIGGER, "at": at.isoformat(), "said": "Not let in", "more": [answer], "tone": "skipped"}
    return {
        **_person(contact_id, zone if isinstance(zone, str) else ""),
        "entered": False,
        "answer": answer,
        "notes": notes,
        "stops": [{**stop, "port": "", "until": None, "read": []}],
        "ways": [],
    }


def is_anything_queued(enrolment_id: int) -> bool:
    """Messages that are still going to be decided on."""
    return bool(
        _rows(
            "SELECT 1 FROM outbox o JOIN messages m ON m.id = o.message_id WHERE m.enrolment_id = %s LIMIT 1",
            enrolment_id,
        )
    )


def emails_that_went_out(contact_id: int) -> list[int]:
    """Ids of those that the provider took, the oldest first."""
    rows = _rows(
        "SELECT m.id FROM messages m JOIN message_states s ON s.message_id = m.id"
        " WHERE m.contact_id = %s AND m.enrolment_id IS NOT NULL AND m.channel = 'email' AND s.state = 'accepted'"
        " ORDER BY m.id",
        contact_id,
    )
    return [message_id for (message_id,) in rows]


def _stop(row: JournalEntry, said: str, read: list[list[Any]]) -> dict[str, Any]:
    return {
        "step": row.step,
        "at": row.at.isoformat(),
        "said": said,
        "more": [],
        "read": read,
        "tone": _tone(row),
        "port": row.port,
        "until": None,
    }


def _tone(row: JournalEntry) -> str:
    if row.outcome == "waiting":
        return "waits"
    if row.outcome in ("left", "failed"):
        return str(row.outcome)
    return "skipped" if row.detail.get("skipped") else "went"


def _read(row: JournalEntry, version: CompiledVersion) -> list[list[Any]]:
    """What a condition read: [question, value]."""
    values, step = row.detail.get("read"), version.steps.get(row.step)
    if not isinstance(values, list) or step is None:
        return []
    if isinstance(step.prepared, Branch):
        conditions = [condition for _, condition in step.prepared.arms]
    elif isinstance(step.prepared, Watch):
        conditions = [step.prepared.condition]
    else:
        return []
    return [[each["asked"], each["read"]] for each in told(conditions, values)]


def _add_messages(enrolment_id: int, stops: list[dict[str, Any]]) -> None:
    """What the post office decided, at the step that asked for it."""
    by_step = {stop["step"]: stop for stop in stops}
    for step, reason, until, _ in _rows(_PUT_OFF, enrolment_id):
        if (stop := by_step.get(step)) is not None:
            stop["put_off"] = until
            stop["more"].append(f"Put off: {REASONS.get(reason, reason)}")
    for step, state, reason, at, asked_at in _rows(_MESSAGES, enrolment_id):
        stop = by_step.get(step)
        if stop is None:
            continue
        if state == "accepted":
            stop["said"] = "Would be sent"
            stop["sent_at"] = at.isoformat() if at != asked_at else None
        elif state in ("suppressed", "capped", "rejected", "cancelled"):
            why = REASONS.get(reason, reason.replace("_", " "))
            stop.update(said=f"Would be skipped: {why}" if why else "Would be skipped", tone="skipped")
        else:
            stop["said"] = "Would wait to be sent"


def _end(enrolment: Enrolment) -> str:
    match enrolment.state:
        case "completed":
            return "Comes to the end of the journey."
        case "exited":
            return f"Leaves the journey: {wording.exit_reason(enrolment.exit_reason)}."
        case "failed":
            return "A step fails."
        case "waiting":
            return "Still waits."
    return "Is still on the way."


def _person(contact_id: int, default: str) -> dict[str, Any]:
    email, external_id, timezone = Contact.objects.values_list("email", "external_id", "timezone").get(pk=contact_id)
    zone = choose_zone(timezone or "", default, settings.DEFAULT_TIMEZONE)
    return {"contact": email or external_id or "", "zone": zone.key, "zone_is_theirs": zone.key == timezone}


def _rows(statement: str, number: int) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, [number])
        return cursor.fetchall()
