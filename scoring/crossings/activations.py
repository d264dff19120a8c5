"""The activations that a score has gone through, and the rules that held at each: its own and those of its parts."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from scoring.rulesets import reading
from scoring.rulesets.rules import Ruleset

# The parts of every version count: a combined score may have had others once.
_HISTORY = """
    SELECT s.id, s.name, s.activated_at, s.on_activation = 'rebase', s.mql_threshold,
           ARRAY(SELECT jsonb_object_keys(s.parts))
      FROM scoring_rulesets s
     WHERE s.activated_at IS NOT NULL
       AND (s.name = %(name)s OR s.name IN (SELECT jsonb_object_keys(own.parts) FROM scoring_rulesets own
                                             WHERE own.name = %(name)s AND own.activated_at IS NOT NULL))
     ORDER BY s.activated_at, s.id
"""


@dataclass(frozen=True)
class Activation:
    """A version `ruleset_id` of the score `name`, combined of `parts`, became active."""

    ruleset_id: int
    name: str
    at: datetime
    rebases: bool
    threshold: float
    parts: Collection[str]


@dataclass(frozen=True)
class History:
    """Every activation of a score and of what was ever a part of it, in their order; the last is that under which it
    stands now."""

    name: str
    activations: tuple[Activation, ...]

    @property
    def latest_id(self) -> int:
        return self.activations[-1].ruleset_id

    def thresholds_before(self, threshold: float) -> list[float]:
        """What the score's own threshold was in other versions."""
        return sorted({each.threshold for each in self.activations if each.name == self.name} - {threshold})

    def after(self, ruleset_id: int | None) -> int:
        """The place of the first activation after that of a version; of the first one at all if it is none of them."""
        places = (place for place, each in enumerate(self.activations, 1) if each.ruleset_id == ruleset_id)
        return next(places, 0)

    def until(self, at: datetime) -> int:
        """How many activations there had been by an instant."""
        return sum(each.at <= at for each in self.activations)

    def rebases(self, start: int) -> list[int]:
        """The places, from `start` on, of those that put people elsewhere in silence: its own, and those of its parts.
        What was no part by the version of then moved nobody, though another version is combined of it."""
        found, parts = [], frozenset[str]()
        for place, each in enumerate(self.activations):
            is_own = each.name == self.name
            if is_own:
                parts = frozenset(each.parts)
            if place >= start and each.rebases and (is_own or each.name in parts):
                found.append(place)
        return found

    def rules_after(self, counts: Collection[int]) -> Mapping[int, Ruleset | None]:
        """The rules of the score when it had gone through so many activations, for each of `counts`; None: it had none
        yet. One statement."""
        active = {count: self._active(count) for count in counts}
        stored = reading.versions({ruleset_id for ids in active.values() for ruleset_id in ids.values()})
        return {
            count: reading.with_parts(
                stored[ids[self.name]], {name: stored[ruleset_id] for name, ruleset_id in ids.items()}
            )
            if self.name in ids
            else None
            for count, ids in active.items()
        }

    def _active(self, count: int) -> dict[str, int]:
        return {each.name: each.ruleset_id for each in self.activations[:count]}


def history(name: str) -> History:
    """One statement."""
    with connection.cursor() as cursor:
        cursor.execute(_HISTORY, {"name": name})
        return History(name, tuple(Activation(*row) for row in cursor.fetchall()))
