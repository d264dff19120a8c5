"""How far the warm-up of a sending domain has come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from delivery.models import SendingDay, SendingDomain
from delivery.rates import warming


@dataclass(frozen=True)
class Progress:
    """`day` counts from 1, 0: it has not begun. `allowed` and `claimed` are today's marketing messages. `held`: why it
    did not go on today; `held_by`: who wants it to stay at its step."""

    domain: str
    day: int
    days: int
    allowed: int
    claimed: int
    held: str
    held_by: str
    steps: Sequence[int]

    @property
    def is_going(self) -> bool:
        return bool(self.steps) and self.day <= self.days

    @property
    def share(self) -> int:
        return min(100, round(100 * self.claimed / self.allowed)) if self.allowed else 100

    @property
    def left(self) -> int:
        return max(0, self.allowed - self.claimed)


def of(rows: Sequence[SendingDomain], *, now: datetime) -> list[Progress]:
    """Of these domains, in their order. One statement, or none."""
    days = {row.domain: warming.today(row.created_at, now) for row in rows if row.warm_up_steps}
    asked = Q()
    for domain, day in days.items():
        asked |= Q(domain=domain, day=day)
    claimed = dict(SendingDay.objects.filter(asked).values_list("domain", "claimed")) if days else {}
    return [_progress(row, claimed.get(row.domain, 0)) for row in rows]


def _progress(row: SendingDomain, claimed: int) -> Progress:
    steps = list(row.warm_up_steps)
    step = row.warm_up_step
    return Progress(
        domain=row.domain,
        day=step + 1 if row.warm_up_day or step else 0,
        days=len(steps),
        allowed=steps[step] if step < len(steps) else 0,
        claimed=claimed,
        held=row.warm_up_held,
        held_by=row.warm_up_held_by,
        steps=steps,
    )
