"""How fast mail goes to one recipient domain: RECIPIENT_DOMAIN_RATES, by reservation.

A message that goes to such a domain gets its turn when it is claimed the first time. If its turn is now, it goes on; if
not, it is put back into the queue, due at its turn, and goes when that has come without asking again. So a queue of a
hundred thousand for one domain is looked at once, and is in nobody's way meanwhile.

`now` is the transaction's, so all workers stand in line by the same clock, that of PostgreSQL; TIME_SPEED makes
nobody's mail server faster. When Redis is away each process keeps its own line."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

import redis
from django.conf import settings

from contacts import outside, redis_index
from delivery.mailboxes import domain_of
from delivery.rates import turns
from delivery.rates.turns import Lines

log = logging.getLogger(__name__)

KEPT = timedelta(seconds=30)  # whoever comes so late has lost the turn: after a stop not all of them go at once
LINES_KEPT = 10_000  # by a process without Redis
SILENCE_SECONDS = 1.0  # after a failure nobody asks Redis for so long: rows are locked meanwhile
_SCRIPT = Path(__file__).parent / "lua" / "reserve_turns.lua"
_silence = {"until": 0.0}
_lines: dict[str, Lines] = {}
_making = threading.Lock()


def rate_of(domain: str) -> float | None:
    """Messages a second; None: as fast as they come. A name itself goes before a wildcard, a longer one before a
    shorter one; what a wildcard names is the rate of each domain below it, and not of all of them together."""
    known = settings.RECIPIENT_DOMAIN_RATES
    if not known:
        return None
    if domain in known:
        return known[domain]
    labels = domain.split(".")
    above = ("*." + ".".join(labels[cut:]) for cut in range(1, len(labels)))
    return next((known[name] for name in (*above, "*") if name in known), None)


def turns_of(addresses: Sequence[str], *, lane: str, now: datetime) -> list[timedelta]:
    """How long each mail has to wait for its turn: nothing, or until then. Reserves the turns. One call of Redis."""
    if not settings.RECIPIENT_DOMAIN_RATES or outside.is_closed():
        return [timedelta()] * len(addresses)
    domains = [domain_of(address) for address in addresses]
    rates = {domain: rate for domain in dict.fromkeys(domains) if (rate := rate_of(domain)) is not None}
    if not rates:
        return [timedelta()] * len(addresses)
    counts = {domain: domains.count(domain) for domain in rates}
    waits = {domain: iter(found) for domain, found in reserve(rates, counts, lane=lane, now=now).items()}
    return [timedelta(seconds=next(waits[domain])) if domain in waits else timedelta() for domain in domains]


def reserve(
    rates: Mapping[str, float], counts: Mapping[str, int], *, lane: str, now: datetime
) -> Mapping[str, Sequence[float]]:
    """Turns in lines of any name (a name with a blank is no domain): for each of `counts`, the seconds from `now` until
    its turn. `rates`: turns a second, of both lanes together. One call of Redis; never raises."""
    at = now.timestamp()
    if time.monotonic() >= _silence["until"]:
        try:
            return _shared(rates, counts, lane, at)
        except redis.RedisError as error:
            _silence["until"] = time.monotonic() + SILENCE_SECONDS
            log.warning("turns kept by this process alone: %s", type(error).__name__)
    with _making:
        if len(_lines) > LINES_KEPT:
            _lines.clear()
        return {
            domain: turns.reserve(_lines.setdefault(domain, Lines()), counts[domain], rate=rate, lane=lane, now=at)
            for domain, rate in rates.items()
        }


def _shared(
    rates: Mapping[str, float], counts: Mapping[str, int], lane: str, now: float
) -> Mapping[str, Sequence[float]]:
    other = "bulk" if lane == "urgent" else "urgent"
    keys: list[str] = []
    args: list[float] = [now, turns.BURST]
    for domain, rate in rates.items():
        keys += [redis_index.key(f"turns:{domain}:{lane}"), redis_index.key(f"turns:{domain}:{other}")]
        step = turns.pace(rate, lane)
        args += [step.own, step.other, counts[domain]]
    waits = iter(_script()(keys=keys, args=args, client=redis_index.connection()))
    return {domain: [int(next(waits)) / 1000 for _ in range(counts[domain])] for domain in rates}


@cache
def _script() -> redis.commands.core.Script:
    return redis_index.connection().register_script(_SCRIPT.read_text())
