"""The frequency cap: how many marketing e-mails one contact may get in a rolling day and a rolling week.

The count is the sum of `cap_delta` over `contact_send_log`, placed in time by `counts_at`, the end of the lease: the
last instant at which the request may have started. So a request that no longer counts did start more than a window
ago. A claim counts at once; what turns out not to have been sent gives its place back; what is in doubt keeps it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection

DAY, WEEK = timedelta(hours=24), timedelta(hours=168)


@dataclass(frozen=True)
class Cap:
    """None: no limit."""

    per_day: int | None
    per_week: int | None


@dataclass(frozen=True)
class Sent:
    """What counts in the day and the week that end now."""

    day: int = 0
    week: int = 0


def cap_of(own: Mapping[str, Any] | None) -> Cap:
    """The cap of a contact with this `frequency_cap` (null: they have none of their own). A member that is null means
    no limit; one that is absent, or not a whole number, means the installation's."""
    own = own if isinstance(own, Mapping) else {}
    return Cap(
        _member(own, "per_day", settings.FREQUENCY_CAP_PER_DAY),
        _member(own, "per_week", settings.FREQUENCY_CAP_PER_WEEK),
    )


def _member(own: Mapping[str, Any], name: str, default: int) -> int | None:
    value = own.get(name, default)
    if value is None:
        return None
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else default


def places(cap: Cap, sent: Sent) -> int | None:
    """How many more may be sent now; None: any number."""
    limits = ((cap.per_day, sent.day), (cap.per_week, sent.week))
    left = [max(limit - used, 0) for limit, used in limits if limit is not None]
    return min(left) if left else None


def count(contact_ids: Collection[int], *, now: datetime) -> dict[int, Sent]:
    """What counts for these contacts; absent: nothing. Read it under the locks of the contacts."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT contact_id, COALESCE(sum(cap_delta) FILTER (WHERE counts_at > %s), 0), sum(cap_delta)
              FROM contact_send_log
             WHERE contact_id = ANY(%s) AND cap_delta <> 0 AND counts_at > %s
             GROUP BY contact_id
            """,
            [now - DAY / settings.TIME_SPEED, list(contact_ids), now - WEEK / settings.TIME_SPEED],
        )
        return {contact_id: Sent(day, week) for contact_id, day, week in cursor.fetchall()}
