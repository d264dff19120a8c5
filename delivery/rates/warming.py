"""Warm-up: a domain that nobody knows may send a little more marketing each day, for as long as people like it.

Today's allowance is kept exactly: whoever claims marketing mail of such a domain locks the row of the day, claims no
more than is left, and adds what it claimed before it commits. What a provider then did not take gives its place back.
The rest is not looked at until tomorrow (DEFAULT_TIMEZONE). Transactional mail is neither counted nor held: people wait
for it, and it is what mailbox providers like best.

At the end of a day the domain goes one step on if the day went well (`ramps.why_not_on`); else it stays, and
`warm_up_held` says why. After days on which nobody was here it goes on from the last one that it was."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection, transaction

from contacts import audit, authority
from delivery import signals
from delivery.rates import pulses, ramps, stopping
from delivery.signals import TroubleNote

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Domain:
    """A domain in warm-up: `allowance` a day at its step, of which about `left` are; `since` when it is known."""

    name: str
    allowance: int
    left: int
    since: datetime


@dataclass(frozen=True)
class Place:
    """The day of a domain, locked: `left` may be claimed."""

    domain: str
    day: date
    left: int


def start(domain: str, *, ramp: str = ramps.DEFAULT, steps: Sequence[int] | None = None, now: datetime) -> None:
    """Warm the domain up from today on, by a schedule of RAMPS or by `steps` (messages on each day), from its
    beginning. Raises ramps.BadRamp."""
    if steps is None and ramp not in ramps.RAMPS:
        raise ramps.BadRamp(f"one of {', '.join(ramps.RAMPS)}")
    plan = ramps.checked(ramps.RAMPS[ramp] if steps is None else steps)
    authority.require("delivery.change_sendingdomain")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO sending_domains (domain, created_at) VALUES (%s, %s) ON CONFLICT (domain) DO NOTHING",
            [_named(domain), now],
        )
        cursor.execute("SELECT created_at FROM sending_domains WHERE domain = %s FOR UPDATE", [_named(domain)])
        (since,) = cursor.fetchone()
        cursor.execute(
            """
            UPDATE sending_domains SET warm_up_steps = %s, warm_up_step = 0, warm_up_day = %s, warm_up_held = '',
                   warm_up_held_by = '' WHERE domain = %s
            """,
            [plan, today(since, now), _named(domain)],
        )
        audit.note("domain.warm_up_begun", of=("domain", _named(domain)), after={"steps": list(plan)})


def stop(domain: str) -> bool:
    """No limit any more. Returns whether there was one. Raises NotAllowed."""
    authority.require("delivery.change_sendingdomain")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE sending_domains SET warm_up_steps = '{}', warm_up_step = 0, warm_up_day = NULL, warm_up_held = '',
                   warm_up_held_by = '' WHERE domain = %s AND warm_up_steps <> '{}'
            """,
            [_named(domain)],
        )
        ended = cursor.rowcount == 1
        if ended:
            audit.note(
                "domain.warm_up_ended",
                of=("domain", _named(domain)),
                before={"warm_up": True},
                after={"warm_up": False},
            )
        stopping.ring_on_commit()
    return ended


def hold(domain: str, *, by: str) -> bool:
    """Stay at today's step until somebody lets it go on (`by` empty). Returns whether the domain is in warm-up. Raises
    NotAllowed."""
    authority.require("delivery.change_sendingdomain")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE sending_domains SET warm_up_held_by = %s WHERE domain = %s AND warm_up_steps <> '{}'",
            [by, _named(domain)],
        )
        if found := cursor.rowcount == 1:
            audit.note("domain.warm_up_held", of=("domain", _named(domain)), after={"held": bool(by)})
    return found


def today(since: datetime, now: datetime) -> date:
    return ramps.day_of(now, zone=_zone(), since=since, speed=settings.TIME_SPEED)


def lock(domain: Domain, *, now: datetime) -> Place:
    """Lock the domain's day, in the caller's transaction, after all other rows. One statement: a row that was waited
    for is read as it is now."""
    day = today(domain.since, now)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO sending_days (domain, day, claimed) VALUES (%s, %s, 0)
                ON CONFLICT (domain, day) DO UPDATE SET claimed = sending_days.claimed RETURNING claimed
            """,
            [domain.name, day],
        )
        (claimed,) = cursor.fetchone()
    return Place(domain.name, day, max(domain.allowance - claimed, 0))


def add(place: Place, count: int) -> None:
    """So many were claimed, under the lock."""
    _change(place.domain, place.day, count)


def give_back(domain: str, day: date, count: int) -> None:
    """So many that were claimed on that day were not taken."""
    _change(domain, day, -count)


def _change(domain: str, day: date, count: int) -> None:
    if not count:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE sending_days SET claimed = GREATEST(claimed + %s, 0) WHERE domain = %s AND day = %s",
            [count, domain, day],
        )


def advance(*, now: datetime) -> int:
    """Housekeeping, in the caller's transaction: each domain whose day is over goes on, or says why not. Returns how
    many those were."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT domain, created_at, warm_up_day FROM sending_domains WHERE warm_up_steps <> '{}' ORDER BY 1"
        )
        over = [domain for domain, since, day in cursor.fetchall() if day is None or day < today(since, now)]
    for domain in over:
        _advance(domain, now=now)
    return len(over)


def _advance(domain: str, *, now: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT d.created_at, d.warm_up_day, d.warm_up_steps, d.warm_up_step, d.warm_up_held, d.warm_up_held_by,
                   COALESCE(s.claimed, 0)
              FROM sending_domains d LEFT JOIN sending_days s ON s.domain = d.domain AND s.day = d.warm_up_day
             WHERE d.domain = %s FOR UPDATE OF d
            """,
            [domain],
        )
        since, day, steps, step, held_before, held_by, claimed = cursor.fetchone()
        new_day = today(since, now)
        if not steps or (day is not None and day >= new_day):
            return  # somebody else was here first
        held = f"held by {held_by}" if held_by else ""
        if day is not None and not held:
            held = ramps.why_not_on(steps[step], claimed, _reported(domain, day, since))
        next_step = step if held or day is None else step + 1
        is_done = next_step >= len(steps)
        cursor.execute(
            "UPDATE sending_domains SET warm_up_day = %s, warm_up_step = %s, warm_up_held = %s, warm_up_steps = %s"
            " WHERE domain = %s",
            [None if is_done else new_day, 0 if is_done else next_step, held, [] if is_done else steps, domain],
        )
        stopping.ring_on_commit()
    said = "held by a person" if held_by else held  # whose account may be called by an address
    log.info("warm-up of %s: %s", domain, said or ("done" if is_done else f"step {next_step + 1} of {len(steps)}"))
    if held and not held_before and not held_by:
        note = TroubleNote("warm_up_held", domain, {"why": held, "step": step + 1, "of": len(steps)})
        signals.delivery_trouble.send(sender=None, trouble=(note,), now=now)


def _reported(domain: str, day: date, since: datetime) -> ramps.Day:
    speed = settings.TIME_SPEED
    begins = ramps.begins_at(day, zone=_zone(), since=since, speed=speed)
    ends = ramps.begins_at(day + timedelta(days=1), zone=_zone(), since=since, speed=speed)
    return pulses.between(domain, begins, ends)


def _zone() -> ZoneInfo:
    return ZoneInfo(settings.DEFAULT_TIMEZONE)


def _named(domain: str) -> str:
    return domain.strip().lower()
