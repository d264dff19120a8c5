"""What a rehearsal is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

RECORDED, OCCURRED = "recorded", "occurred"
CLOCKS = (RECORDED, OCCURRED)
MOMENT = timedelta(seconds=1)  # facts that lie so close are one batch of intake in production, too


class CannotRehearse(Exception):
    """Why there is nothing to rehearse; a sentence."""


@dataclass(frozen=True)
class Asked:
    """Play what happened in [since, until) to a definition, as if it had been published at `since`.

    `version`: which of the workflow's versions; None: its draft. `sample`: percent of the contacts, always the same
    ones. `moment`: what happens to different contacts within it is played at once, at its end: the longer, the quicker
    and the less exact. `clock`: an event happens when it was recorded, or (of imported history) when it occurred.
    `run_out`: time goes on after `until`, with no further facts, until nobody has anything due."""

    slug: str
    since: datetime
    until: datetime
    version: int | None = None
    sample: float = 100.0
    clock: str = RECORDED
    run_out: bool = False
    moment: timedelta = MOMENT

    def __post_init__(self) -> None:
        if self.until <= self.since:
            raise CannotRehearse("the period must end after it begins")
        if not 0 < self.sample <= 100:
            raise CannotRehearse("a sample is more than 0 and at most 100 percent")
        if not timedelta() <= self.moment <= timedelta(days=1):
            raise CannotRehearse("a moment is at most a day")
        if self.clock not in CLOCKS:
            raise CannotRehearse(f"the clock is one of {', '.join(CLOCKS)}")


@dataclass(frozen=True)
class Piece:
    """The workflow as the live schema has it, and the definition that is rehearsed. `number`: of the version, None for
    the draft."""

    workflow_id: int
    slug: str
    name: str
    definition: Mapping[str, Any]
    number: int | None
