"""The brake: where too many people report a domain's marketing mail as spam, or too much of it bounces for good,
marketing from that domain waits until a person has looked (`release`). Transactional mail flows.

Looked at every few seconds over what was reported within the last day; BRAKE_COMPLAINT_PERCENT of what was delivered,
BRAKE_BOUNCE_PERCENT of what was tried, both of at least BRAKE_SAMPLE, and only where chance does not explain it
(`significance.is_over`). What was reported before a release does not brake again."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from contacts import audit, authority
from delivery import signals
from delivery.rates import pulses, significance, stopping
from delivery.rates.ramps import Day
from delivery.signals import TroubleNote

log = logging.getLogger(__name__)

WINDOW = timedelta(hours=24)


def why(day: Day) -> Mapping[str, Any] | None:
    """What is too much about it: `{reason, rate, limit, sample, hits}`, rates as shares; None: nothing."""
    tried = day.delivered + day.hard_bounces
    for reason, hits, sample, percent in (
        ("complaints", day.complaints, day.delivered, settings.BRAKE_COMPLAINT_PERCENT),
        ("hard_bounces", day.hard_bounces, tried, settings.BRAKE_BOUNCE_PERCENT),
    ):
        if sample >= settings.BRAKE_SAMPLE and significance.is_over(hits, sample, percent / 100):
            return {"reason": reason, "rate": hits / sample, "limit": percent / 100, "sample": sample, "hits": hits}
    return None


def look(*, now: datetime) -> list[str]:
    """Housekeeping, in the caller's transaction: fold the pulses and brake whom they tell to. Returns the domains that
    were braked. Nothing new reported: one statement."""
    if not pulses.fold(now=now):
        return []
    begin = now - WINDOW / settings.TIME_SPEED
    found = {domain: cause for domain, day in pulses.since(begin).items() if (cause := why(day)) is not None}
    return [domain for domain, cause in found.items() if _brake(domain, {**cause, "since": begin.isoformat()}, now=now)]


def _brake(domain: str, cause: Mapping[str, Any], *, now: datetime) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO sending_domains (domain, created_at, braked_at, braked_why) VALUES (%s, %s, %s, %s)
                ON CONFLICT (domain) DO UPDATE
               SET braked_at = EXCLUDED.braked_at, braked_why = EXCLUDED.braked_why
             WHERE sending_domains.braked_at IS NULL
            """,
            [domain, now, now, json.dumps(dict(cause))],
        )
        if cursor.rowcount != 1:
            return False
    log.error(
        "marketing from %s waits: %s are %.2f %% of %d",
        domain,
        cause["reason"].replace("_", " "),
        100 * cause["rate"],
        cause["sample"],
    )
    signals.delivery_trouble.send(sender=None, trouble=(TroubleNote("brake", domain, cause),), now=now)
    return True


def release(domain: str, *, by: str, now: datetime) -> bool:
    """Marketing goes on, and what was reported until now is forgiven. Returns whether the domain was braked. Raises
    NotAllowed."""
    authority.require("delivery.change_sendingdomain")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE sending_domains SET braked_at = NULL, braked_why = '{}', released_at = %s, released_by = %s
             WHERE domain = %s AND braked_at IS NOT NULL
            """,
            [now, by, domain.strip().lower()],
        )
        released = cursor.rowcount == 1
        if released:
            audit.note("domain.released", of=("domain", domain), before={"braked": True}, after={"braked": False})
        stopping.ring_on_commit()
    return released
