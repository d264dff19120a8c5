"""The score reaches a threshold, or falls below nine tenths of it again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, Literal

from scoring.crossings.comparing import level_of
from scoring.rulesets.parsing import check_threshold
from scoring.rulesets.rules import LEAD, BadRules
from workflows.definition.problems import Problem
from workflows.triggers.base import PLACE, TriggerType, property_is


class ScoreCrossed(TriggerType):
    """`direction`: `up` when the score reaches `threshold`, `down` when it falls below 90 % of it after that."""

    type: Literal["score_crossed"]
    label: ClassVar = "Score crossed a threshold"
    threshold: float
    direction: Literal["up", "down"]

    def event_type(self) -> str:
        return "score_threshold_crossed"

    def filter(self) -> dict[str, Any]:
        return {
            "all": [
                property_is("score_name", LEAD),
                property_is("threshold", self.threshold),
                property_is("direction", self.direction),
            ]
        }

    def thresholds(self) -> frozenset[float]:
        return frozenset({self.threshold})

    def standing(self) -> dict[str, Any]:
        level = level_of(self.threshold, above=self.direction == "down")
        return {"field": "score", "op": "gte" if level.rising else "lt", "value": level.value}

    def problems(self) -> Iterable[Problem]:
        try:
            check_threshold(self.threshold)
        except BadRules as error:
            yield Problem(None, f"{PLACE}.threshold", "bad_value", error.problems[0].message)

    def sentence(self) -> str:
        level = level_of(self.threshold, above=self.direction == "down")
        falls = f"The score falls below {level.value:g}, after it had reached {self.threshold:g}"
        return f"The score reaches {self.threshold:g}" if level.rising else falls
