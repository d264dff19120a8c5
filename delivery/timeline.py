"""Messages on a contact's timeline: one line for what became of each."""

from __future__ import annotations

from typing import Any

from django.db import connection
from django.urls import reverse

from contacts import timeline
from contacts.pages import floors
from contacts.timeline import Before, Entry, Source
from delivery import providers, wording

_ICONS = {
    "accepted": ("send", "indigo"),
    "queued": ("schedule_send", "plain"),
    "sending": ("schedule_send", "plain"),
    "in_doubt": ("help", "amber"),
    "undetermined": ("help", "amber"),
    "rejected": ("block", "rose"),
    "suppressed": ("block", "amber"),
    "capped": ("block", "amber"),
    "cancelled": ("cancel_schedule_send", "plain"),
}
_CHANNELS = {"email": "Email", "sms": "SMS", "push": "Push"}
# Told here with their outcome and reason.
_TELLS = frozenset({"email_sent", "email_rejected", "send_suppressed", "send_suppressed_frequency_cap"})


def messages(*, contact_id: int, before: Before, limit: int, alone: bool) -> list[Entry]:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT m.id, s.changed_at, s.state, s.reason, s.provider, s.provider_said, m.channel, m.workflow_id, m.step,
                   t.name
              FROM messages m
              JOIN message_states s ON s.message_id = m.id
              JOIN template_versions v ON v.id = m.template_version_id
              JOIN templates t ON t.id = v.template_id
             WHERE m.contact_id = %s AND (s.changed_at, m.id) < (%s, %s)
             ORDER BY s.changed_at DESC, m.id DESC LIMIT %s
            """,
            [contact_id, before.at, before.id, limit],
        )
        rows = cursor.fetchall()
    journeys = floors.names("workflow", [row[7] for row in rows])
    return [_entry(row, journeys) for row in rows]


def _entry(row: tuple[Any, ...], journeys: Any) -> Entry:
    id, at, state, reason, provider, said, channel, workflow_id, step, template = row
    icon, tone = _ICONS.get(state, ("mail", "indigo"))
    journey = journeys.get(workflow_id)
    words = [
        wording.reason(reason) if reason else "",
        f"{journey.text}, step {step}" if journey else "",
        f"{providers.title(provider)} said: {said}" if said else "",
    ]
    return Entry(
        at=at,
        id=id,
        type=f"message_{state}",
        title=f"{_CHANNELS.get(channel, channel)} {wording.STATES.get(state, state).lower()}: {template}",
        detail=" · ".join(part for part in words if part),
        icon=icon,
        tone=tone,
        url=reverse("admin:delivery_message_change", args=[id]),
        url_shows="delivery.message",
    )


timeline.register(Source("messages", "Messages", messages, tells=_TELLS))
