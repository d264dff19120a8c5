"""Which provider takes a channel's messages now, and which classes of them may go at all. One statement for all of it,
asked before anything is counted or claimed: what is held is neither touched nor passed over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import connection

from delivery import providers
from delivery.providers import CHANNELS
from delivery.rates import resting, senders, warming
from delivery.rates.resting import Health

WELL = Health()
CLASSES = ("transactional", "marketing")  # among equals in this order

_LOOK = """
    SELECT 'provider', name, stopped_at IS NOT NULL, failures, resting_until, NULL::integer[], 0, NULL::timestamptz,
           NULL::date, 0
      FROM providers WHERE name = ANY(%(names)s)
    UNION ALL
    SELECT 'domain', d.domain, d.braked_at IS NOT NULL, 0, NULL, d.warm_up_steps, d.warm_up_step, d.created_at,
           s.day, COALESCE(s.claimed, 0)
      FROM sending_domains d
      LEFT JOIN LATERAL (
           SELECT day, claimed FROM sending_days s WHERE s.domain = d.domain ORDER BY day DESC LIMIT 1) s ON true
     WHERE d.domain = %(marketing)s
"""


@dataclass(frozen=True)
class Way:
    """`provider`: a name; empty: nobody delivers the channel. `classes` that may go now; empty: all of them wait.
    `domains`: from which each class of e-mail goes. `warming`: the domain of marketing, while it is in warm-up.
    `health`: of the provider, before the batch; a trial after a rest takes no more than `resting.TRIED`."""

    provider: str
    classes: tuple[str, ...]
    domains: Mapping[str, str] = field(default_factory=dict)
    warming: warming.Domain | None = None
    health: Health = WELL


@dataclass(frozen=True)
class _Look:
    """What was read: how each provider is, the domain of each class, and what holds marketing."""

    providers: Mapping[str, tuple[bool, Health]]  # whether it is stopped or rests
    domains: Mapping[str, str]
    is_marketing_held: bool
    warming: warming.Domain | None


def ways(*, now: datetime) -> dict[str, Way]:
    """The way of each channel: the first of its providers that is neither stopped nor resting."""
    names = {channel: providers.names(channel) for channel in CHANNELS}
    seen = _look(sorted({name for chosen in names.values() for name in chosen}), now)
    return {channel: _way(channel, names[channel], seen) for channel in CHANNELS}


def way(channel: str, *, now: datetime) -> Way:
    """The way of one channel."""
    return ways(now=now)[channel]


def _look(names: Sequence[str], now: datetime) -> _Look:
    domains = {each: senders.domain(each) for each in CLASSES}
    known: dict[str, tuple[bool, Health]] = {}
    is_held, warm = False, None
    with connection.cursor() as cursor:
        cursor.execute(_LOOK, {"names": list(names), "marketing": domains["marketing"]})
        for what, name, is_out, failures, until, steps, step, since, day, claimed in cursor.fetchall():
            if what == "provider":
                is_resting = until is not None and until > now
                known[name] = (is_out or is_resting, Health(failures, is_trial=failures >= resting.LEAST))
                continue
            is_held = is_out
            if step < len(steps):
                left = steps[step] - (claimed if day == warming.today(since, now) else 0)
                warm = warming.Domain(name, steps[step], left, since)
                is_held = is_held or left <= 0
    return _Look(known, domains, is_held, warm)


def _way(channel: str, names: Sequence[str], seen: _Look) -> Way:
    if not names:
        return Way("", CLASSES)
    is_mail = channel == "email"
    classes = tuple(each for each in CLASSES if not (is_mail and seen.is_marketing_held and each == "marketing"))
    for name in names:
        is_out, health = seen.providers.get(name, (False, WELL))
        if not is_out:
            return Way(name, classes, seen.domains if is_mail else {}, seen.warming if is_mail else None, health)
    return Way(names[0], ())
