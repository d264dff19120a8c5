"""Move the contact to a lifecycle stage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from scoring.lifecycle import stages
from workflows.definition import phrases
from workflows.definition.problems import Problem
from workflows.definition.shown import Shown
from workflows.definition.strict import Strict
from workflows.entry import hops
from workflows.steps.base import Advance, Cohort, Outcome, StepType


class StageConfig(Strict):
    to: Annotated[str, Shown("Move to", control="stage")]


@dataclass(frozen=True)
class StageMove:
    contact_id: int
    to: str
    step: str
    source: str
    lane: str
    context: Mapping[str, Any]  # of `lifecycle_changed`

    @classmethod
    def apply(cls, effects: list[StageMove], now: datetime) -> None:
        """One call a target stage and step: a batch has few of them."""
        groups: dict[tuple[str, str, str], list[int]] = {}
        for effect in effects:
            groups.setdefault((effect.to, effect.step, effect.source), []).append(effect.contact_id)
        with hops.leading((effect.contact_id, effect.context) for effect in effects):
            for (to, step, source), contact_ids in sorted(groups.items()):
                stages.move(
                    contact_ids=contact_ids,
                    to_stage=to,
                    reason=f"step {step}",
                    source=source,
                    now=now,
                    lane=effects[0].lane,
                )


class ChangeLifecycleStage(StepType):
    key = "change_lifecycle_stage"
    label = "Change lifecycle stage"
    group, icon = "contact", "stairs"
    hint = "Move the contact to another stage"
    Config = StageConfig

    def sentence(self, config: StageConfig) -> str:
        return f"Move to the lifecycle stage {phrases.stage(config.to)}"

    def problems(self, config: StageConfig, step: str) -> Iterable[Problem]:
        if config.to not in stages.STAGES:
            known = ", ".join(stages.STAGES)
            yield Problem(step, "config.to", "bad_value", f"there is no stage {config.to!r}; there are {known}")

    def run(self, cohort: Cohort, prepared: Any, now: datetime) -> list[Outcome]:
        config: StageConfig = prepared
        source = f"workflow:{cohort.workflow_slug}"
        return [
            Advance(
                effects=(
                    StageMove(
                        member.contact_id,
                        config.to,
                        cohort.step,
                        source,
                        cohort.lane,
                        hops.of_fact(member.trigger, cohort.workflow_slug, now),
                    ),
                )
            )
            for member in cohort.members
        ]
