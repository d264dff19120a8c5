"""Who goes when, towards a domain that takes only so much a second. Pure: what `lua/reserve_turns.lua` does, for a
process that has lost Redis, and for the tests of both.

A line is an instant from which on its next turn is free. A turn that nobody took is lost, but for `BURST` seconds of
them. Each domain has two lines, which share its rate: of every four turns one is the urgent lane's, so that no
campaign, however long, stands before a welcome mail; and the urgent lane takes the other line's turns, too, while those
are nearer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

BURST = 1.0  # seconds: what may go at once after a silence
URGENT_SHARE = 0.25


@dataclass
class Lines:
    """The lines of one domain, in seconds of any clock; 0: nobody ever stood there."""

    urgent: float = 0.0
    bulk: float = 0.0


@dataclass(frozen=True)
class Pace:
    """Seconds a turn takes, of the lane's own line and of the other one (0: that is not for this lane)."""

    own: float
    other: float


def pace(rate: float, lane: str) -> Pace:
    """`rate`: messages a second to the domain, of both lanes together."""
    urgent, bulk = 1 / (rate * URGENT_SHARE), 1 / (rate * (1 - URGENT_SHARE))
    return Pace(urgent, bulk) if lane == "urgent" else Pace(bulk, 0.0)


def reserve(lines: Lines, count: int, *, rate: float, lane: str, now: float) -> list[float]:
    """The turns of `count` messages, as seconds from `now`, and the lines moved on."""
    step = pace(rate, lane)
    own, other = (lines.urgent, lines.bulk) if lane == "urgent" else (lines.bulk, lines.urgent)
    own, other = max(own, now - BURST), max(other, now - BURST)
    waits, other_was_used = [], False
    for _ in range(count):
        if step.other > 0 and other < own:
            turn, other, other_was_used = other, other + step.other, True
        else:
            turn, own = own, own + step.own
        waits.append(max(turn - now, 0.0))
    if lane == "urgent":
        lines.urgent = _kept(own)
        lines.bulk = _kept(other) if other_was_used else lines.bulk
    else:
        lines.bulk = _kept(own)
    return waits


def _kept(at: float) -> float:
    """To the next microsecond, as in Redis: of two lines that are as near the same one is then taken."""
    return math.ceil(at * 1_000_000) / 1_000_000
