"""A milestone: whoever comes here has reached it. It is counted, and the journey goes on."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from workflows import signals
from workflows.definition import phrases
from workflows.definition.strict import Name, Strict
from workflows.signals import Moved
from workflows.steps.base import Advance, Cohort, Outcome, StepType

REACHED = "reached"  # the metric of the step; whom `skip_if` takes past it does not count


class GoalConfig(Strict):
    name: Name


@dataclass(frozen=True)
class Reached:
    """One more at a goal."""

    workflow_id: int
    version_id: int
    step: str

    @classmethod
    def apply(cls, effects: list[Reached], now: datetime) -> None:
        counts = Counter((each.workflow_id, each.version_id, each.step, REACHED) for each in effects)
        deltas = tuple(Moved(*where, amount) for where, amount in sorted(counts.items()))
        signals.enrolments_moved.send(sender=None, deltas=deltas, now=now)


class Goal(StepType):
    key = "goal"
    label = "Goal"
    Config = GoalConfig

    def sentence(self, config: GoalConfig) -> str:
        return f"Count the goal {phrases.quoted(config.name)} as reached"

    def run(self, cohort: Cohort, prepared: Any, now: datetime) -> list[Outcome]:
        config: GoalConfig = prepared
        reached = Reached(cohort.workflow_id, cohort.version_id, cohort.step)
        return [Advance(detail={"goal": config.name}, effects=(reached,)) for _ in cohort.members]
