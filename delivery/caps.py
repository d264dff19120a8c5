"""The frequency cap: how many marketing messages of one channel a contact may get in a rolling day and a rolling week.

E-mail has one for everybody, the contact's own before the installation's; SMS and push messages have one where the
settings say so.

The count is the sum of `cap_delta` over `contact_send_log`, placed in time by `counts_at`, the instant of the claim;
the request starts within the lease after it, two seconds. A claim counts at once; what turns out not to have been sent
gives its place back; what is in doubt keeps it.

A mail a day, from a wait of a day between two of them, comes to the gate a day after the last one, give or take how
long either lay in the queue. So what finds no place, and would find one SOON, is put off until then.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection

DAY, WEEK = timedelta(hours=24), timedelta(hours=168)
SOON = timedelta(minutes=1)
LEAST = timedelta(seconds=2)  # under a TIME_SPEED, which makes no queue shorter


@dataclass(frozen=True)
class Cap:
    """None: no limit."""

    per_day: int | None
    per_week: int | None


@dataclass(frozen=True)
class Soon:
    """What will still count `at` an instant SOON, when the first of what counts now have left their window."""

    at: datetime
    day: int
    week: int


@dataclass(frozen=True)
class Sent:
    """What counts in the day and the week that end now. `soon` None: all of it counts for longer than that."""

    day: int = 0
    week: int = 0
    soon: Soon | None = None


def installations(channel: str) -> Cap:
    """What holds for everybody who has no cap of their own."""
    if channel == "email":
        return Cap(settings.FREQUENCY_CAP_PER_DAY, settings.FREQUENCY_CAP_PER_WEEK)
    if channel == "sms":
        return Cap(settings.SMS_CAP_PER_DAY, settings.SMS_CAP_PER_WEEK)
    return Cap(settings.PUSH_CAP_PER_DAY, settings.PUSH_CAP_PER_WEEK)


def is_capped(channel: str) -> bool:
    """Whether anybody may have a cap there, so that what is sent has to be counted."""
    return channel == "email" or installations(channel) != Cap(None, None)


def of_people(own: Mapping[int, Mapping[str, Any] | None], channel: str) -> dict[int, Cap]:
    """The cap of each of these contacts (id -> `frequency_cap`) in the channel; empty where there is none."""
    if not is_capped(channel):
        return {}
    if channel != "email":
        return dict.fromkeys(own, installations(channel))
    return {contact_id: cap_of(cap) for contact_id, cap in own.items()}


def cap_of(own: Mapping[str, Any] | None, *, others: Cap | None = None) -> Cap:
    """The e-mail cap of a contact with this `frequency_cap` (null: they have none of their own). A member that is null
    means no limit; one that is absent, or not a whole number, means the installation's, or that of `others`."""
    own = own if isinstance(own, Mapping) else {}
    others = others or installations("email")
    return Cap(_member(own, "per_day", others.per_day), _member(own, "per_week", others.per_week))


def _member(own: Mapping[str, Any], name: str, default: int | None) -> int | None:
    value = own.get(name, default)
    if value is None:
        return None
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else default


def places(cap: Cap, sent: Sent | Soon) -> int | None:
    """How many more may be sent then; None: any number."""
    limits = ((cap.per_day, sent.day), (cap.per_week, sent.week))
    left = [max(limit - used, 0) for limit, used in limits if limit is not None]
    return min(left) if left else None


def count(contact_ids: Collection[int], *, channel: str = "email", now: datetime) -> dict[int, Sent]:
    """What counts for these contacts in the channel; absent: nothing. Read it under the locks of the contacts."""
    day, week = DAY / settings.TIME_SPEED, WEEK / settings.TIME_SPEED
    soon = max(SOON / settings.TIME_SPEED, LEAST)
    asked: dict[str, Any] = {
        "contacts": list(contact_ids),
        "channel": channel,
        "day": now - day,
        "day_soon": now - day + soon,
        "day_long": day,
        "week": now - week,
        "week_soon": now - week + soon,
        "week_long": week,
    }
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT contact_id,
                   COALESCE(sum(cap_delta) FILTER (WHERE counts_at > %(day)s), 0), sum(cap_delta),
                   GREATEST(max(counts_at) FILTER (WHERE counts_at > %(day)s AND counts_at <= %(day_soon)s)
                                + %(day_long)s::interval,
                            max(counts_at) FILTER (WHERE counts_at <= %(week_soon)s) + %(week_long)s::interval),
                   COALESCE(sum(cap_delta) FILTER (WHERE counts_at > %(day_soon)s), 0),
                   COALESCE(sum(cap_delta) FILTER (WHERE counts_at > %(week_soon)s), 0)
              FROM contact_send_log
             WHERE contact_id = ANY(%(contacts)s) AND cap_delta <> 0 AND counts_at > %(week)s
               AND channel = %(channel)s
             GROUP BY contact_id
            """,
            asked,
        )
        return {
            contact_id: Sent(in_day, in_week, Soon(at, day_then, week_then) if at is not None else None)
            for contact_id, in_day, in_week, at, day_then, week_then in cursor.fetchall()
        }
