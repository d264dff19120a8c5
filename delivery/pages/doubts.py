"""Messages in doubt: which they are, and what can still find out whether the provider took them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from contacts.durations import window
from contacts.pages.contacts import names_of
from delivery import inquiries, providers

SHOWN = 100

_OLDEST = """
    SELECT o.message_id, o.contact_id, o.attempt, o.claimed_at, o.lease_until, o.due_at, t.name,
           COALESCE(l.provider, ''), COALESCE(l.provider_said, ''), COALESCE(l.reason, ''), l.provider_code
      FROM (SELECT * FROM outbox WHERE state = 'in_doubt' ORDER BY lease_until LIMIT %s) o
      JOIN messages m ON m.id = o.message_id
      JOIN template_versions v ON v.id = m.template_version_id
      JOIN templates t ON t.id = v.template_id
      LEFT JOIN LATERAL (
           SELECT provider, provider_said, reason, provider_code FROM contact_send_log
            WHERE message_id = o.message_id ORDER BY (provider <> '') DESC, id DESC LIMIT 1) l ON true
     ORDER BY o.lease_until, o.message_id
"""


@dataclass(frozen=True)
class Way:
    """By which the doubts of a provider may end before the deadline. `done_by`: what does it."""

    title: str
    said: str
    is_there: bool


@dataclass(frozen=True)
class Doubt:
    """`ends_at`: the deadline, when it is laid down as never found out. `asked_next`: when the provider is asked again,
    where it can be."""

    message_id: int
    contact: str
    template: str
    provider: str
    since: datetime
    answer: str
    reason: str
    asked_next: datetime | None
    ends_at: datetime


def context(*, now: datetime) -> dict[str, Any]:
    """What the page shows. A constant number of statements."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM outbox WHERE state = 'in_doubt'")
        total = cursor.fetchone()[0]
        cursor.execute(_OLDEST, [SHOWN])
        rows = cursor.fetchall()
    contacts = names_of({row[1] for row in rows})
    lasts = window(settings.IN_DOUBT_DEADLINE, speed=settings.TIME_SPEED)
    able = {name for name in _used() if _can_be_asked(name)}
    doubts = [
        Doubt(
            message_id=message_id,
            contact=contacts.get(contact_id, f"Contact {contact_id}"),
            template=template,
            provider=provider,
            since=claimed_at,
            answer=" ".join(str(part) for part in (code, said) if part),
            reason=reason,
            asked_next=max(due_at, lease_until + inquiries.PATIENCE / settings.TIME_SPEED)
            if provider in able
            else None,
            ends_at=lease_until + lasts,
        )
        for message_id, contact_id, _, claimed_at, lease_until, due_at, template, provider, said, reason, code in rows
    ]
    return {"total": total, "doubts": doubts, "shown": SHOWN, "ways": ways(lasts)}


def _used() -> Sequence[str]:
    return sorted({name for channel in providers.CHANNELS for name in providers.names(channel)})


def _can_be_asked(name: str) -> bool:
    try:
        provider = providers.named(name)
    except ImproperlyConfigured:
        return False
    return bool(provider.repeats_within or provider.can_look_up)


def ways(lasts: timedelta) -> list[Way]:
    """What ends a doubt, in the order in which it usually does."""
    found = [
        Way(
            "The provider reports on it",
            "A delivery, bounce or open proves that it was taken. Most doubts end so within minutes.",
            True,
        )
    ]
    for name in _used():
        try:
            provider = providers.named(name)
        except ImproperlyConfigured:
            continue
        if provider.can_look_up:
            found.append(
                Way(
                    f"{providers.title(name)} is asked",
                    "It can be asked for a message by our id; it is, ever more seldom.",
                    True,
                )
            )
        if provider.repeats_within:
            minutes = f"{provider.repeats_within / 60:,.0f} minutes"
            said = f"It knows our key for {minutes}: the same request once more sends nothing twice."
            found.append(Way(f"{providers.title(name)} is handed it again", said, True))
        if not provider.can_look_up and not provider.repeats_within:
            said = "It can be asked for nothing, and would send a second request twice: only its reports help."
            found.append(Way(f"{providers.title(name)} says nothing by itself", said, False))
    hours = lasts.total_seconds() / 3600
    said = f"After {hours:g} hours it is laid down as never found out: counted as perhaps sent, and never sent again."
    return [*found, Way("The deadline", said, True)]
