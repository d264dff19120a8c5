"""What came in lately, for a chart and the table behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from contacts import tallies
from contacts.tallies import Tally

HOURS = 24
BAR = 100.0  # the height of the highest bar

# What is drawn, from below; `held` is a part of what was accepted, so the two are drawn apart.
KINDS = (("used", "Used", "good"), ("held", "Held for want of consent", "warn"), ("duplicate", "Duplicates", "plain"),
         ("rejected", "Rejected", "bad"))  # fmt: skip


@dataclass(frozen=True)
class Part:
    """One colour of a bar, measured from above as SVG does."""

    tone: str
    top: float
    height: float


@dataclass(frozen=True)
class Hour:
    at: datetime
    amounts: Sequence[int]  # in the order of KINDS
    parts: Sequence[Part]


@dataclass(frozen=True)
class Figures:
    """`totals` and `rejected` (reason, amount) are of all the hours."""

    hours: Sequence[Hour]
    totals: Sequence[tuple[str, str, int]]  # label, tone, amount
    rejected: Sequence[tuple[str, int]]


def figures(now: datetime) -> Figures:
    """Of the last HOURS hours, that of `now` the last. One statement."""
    last = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    first = last - timedelta(hours=HOURS - 1)
    return of(tallies.hours(first, now), [first + timedelta(hours=n) for n in range(HOURS)])


def of(counted: Sequence[Tally], hours: Sequence[datetime]) -> Figures:
    """Pure."""
    amounts = {hour: dict.fromkeys((kind for kind, _, _ in KINDS), 0) for hour in hours}
    rejected: dict[str, int] = {}
    for tally in counted:
        if tally.hour not in amounts:
            continue
        mine = amounts[tally.hour]
        if tally.outcome.startswith(tallies.REJECTED):
            mine["rejected"] += tally.amount
            code = tally.outcome.removeprefix(tallies.REJECTED)
            rejected[code] = rejected.get(code, 0) + tally.amount
        elif tally.outcome == tallies.ACCEPTED:
            mine["used"] += tally.amount
        elif tally.outcome == tallies.HELD:
            mine["held"] += tally.amount
            mine["used"] -= tally.amount
        else:
            mine["duplicate"] += tally.amount
    most = max((sum(mine.values()) for mine in amounts.values()), default=0)
    return Figures(
        hours=[Hour(hour, list(mine.values()), _parts(list(mine.values()), most)) for hour, mine in amounts.items()],
        totals=[(label, tone, sum(mine[kind] for mine in amounts.values())) for kind, label, tone in KINDS],
        rejected=sorted(rejected.items(), key=lambda each: (-each[1], each[0])),
    )


def _parts(amounts: Sequence[int], most: int) -> list[Part]:
    parts: list[Part] = []
    top = BAR
    for amount, (_, _, tone) in zip(amounts, KINDS, strict=True):
        if amount > 0:
            height = round(BAR * amount / most, 2)
            top = round(top - height, 2)
            parts.append(Part(tone, max(0.0, top), height))
    return parts
