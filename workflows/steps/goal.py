"""A milestone: whoever comes here has reached it. It is counted, and the journey goes on."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from workflows import signals, variants
from workflows.definition import phrases
from workflows.definition.shown import Shown
from workflows.definition.strict import Name, Strict
from workflows.signals import Moved
from workflows.steps.base import Advance, Cohort, Outcome, StepType

REACHED = "reached"  # the metric of the step; whom `skip_if` takes past it does not count


class GoalConfig(Strict):
    name: Annotated[Name, Shown("Goal", help="What the contact has reached here; it is counted.")]


@dataclass(frozen=True)
class Reached:
    """One more at a goal."""

    workflow_id: int
    version_id: int
    step: str
    enrolment_id: int

    @classmethod
    def apply(cls, effects: list[Reached], now: datetime) -> None:
        taken = variants.of({each.enrolment_id: each.version_id for each in effects})
        counts: Counter[tuple[int, int, str, str]] = Counter()
        for each in effects:
            for name in ("", *(variant.name for variant in taken.get(each.enrolment_id, ()))):
                counts[each.workflow_id, each.version_id, each.step, name] += 1
        deltas = tuple(
            Moved(workflow_id, version_id, step, REACHED, amount, name)
            for (workflow_id, version_id, step, name), amount in sorted(counts.items())
        )
        signals.enrolments_moved.send(sender=None, deltas=deltas, now=now)


class Goal(StepType):
    key = "goal"
    label = "Goal"
    group, icon = "logic", "flag"
    hint = "Mark that the contact came this far"
    Config = GoalConfig

    def sentence(self, config: GoalConfig) -> str:
        return f"Count the goal {phrases.quoted(config.name)} as reached"

    def run(self, cohort: Cohort, prepared: Any, now: datetime) -> list[Outcome]:
        config: GoalConfig = prepared
        place = cohort.workflow_id, cohort.version_id, cohort.step
        return [
            Advance(detail={"goal": config.name}, effects=(Reached(*place, member.enrolment_id),))
            for member in cohort.members
        ]
