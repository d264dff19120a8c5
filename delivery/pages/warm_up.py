"""The schedule of a warm-up, as bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from delivery.rates import ramps
from delivery.rates.progress import Progress


@dataclass(frozen=True)
class Step:
    """A bar of the schedule, measured from above as SVG does. `state`: done · today · ahead."""

    day: int
    allowed: int
    state: str
    top: float
    height: float


def ramp(progress: Progress) -> list[Step]:
    """The schedule as bars, a hundred high. Pure."""
    return bars(progress.steps, today=progress.day)


def bars(steps: Sequence[int], *, today: int) -> list[Step]:
    most = max(steps, default=0)
    return [
        Step(
            day=day,
            allowed=allowed,
            state="done" if day < today else "today" if day == today else "ahead",
            top=round(100 - 100 * allowed / most, 2) if most else 100.0,
            height=round(100 * allowed / most, 2) if most else 0.0,
        )
        for day, allowed in enumerate(steps, 1)
    ]


@dataclass(frozen=True)
class Choice:
    """A schedule that a warm-up may follow."""

    name: str
    days: int
    first: int
    last: int
    steps: Sequence[Step]
    is_usual: bool


def choices() -> list[Choice]:
    return [
        Choice(name, len(steps), steps[0], steps[-1], bars(steps, today=0), name == ramps.DEFAULT)
        for name, steps in ramps.RAMPS.items()
    ]
