"""A score reaches a threshold, or falls below it again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from scoring.crossings.forecast import level_of
from scoring.rulesets import reading
from scoring.rulesets.parsing import check_threshold
from scoring.rulesets.rules import LEAD, BadRules, Settings
from workflows.definition.problems import Problem
from workflows.definition.shown import Shown
from workflows.triggers.base import PLACE, TriggerType, property_is, ref_missing

SCORE_NAME = r"^[-a-zA-Z0-9_]{1,60}$"


class ScoreCrossed(TriggerType):
    """`direction`: `up` when the score reaches `threshold`, `down` when it falls below it after that, by the hysteresis
    of its rules. `score` is the name of the score; the lead score where nothing is said."""

    type: Literal["score_crossed"]
    label: ClassVar = "Score crossed a threshold"
    threshold: Annotated[float, Shown("Threshold")]
    direction: Annotated[
        Literal["up", "down"], Shown("The score", choices={"up": "Reaches it", "down": "Falls below it again"})
    ]
    score: Annotated[str, Field(pattern=SCORE_NAME), Shown("Which score", control="score")] = LEAD

    def event_type(self) -> str:
        return "score_threshold_crossed"

    def filter(self) -> dict[str, Any]:
        return {
            "all": [
                property_is("score_name", self.score),
                property_is("threshold", self.threshold),
                property_is("direction", self.direction),
            ]
        }

    def thresholds(self) -> frozenset[float]:
        return frozenset({self.threshold})

    def score_name(self) -> str:
        return self.score

    def standing(self) -> dict[str, Any]:
        ruleset = reading.active_ruleset(self.score)
        settings = Settings() if ruleset is None else ruleset.settings
        level = level_of(self.threshold, above=self.direction == "down", hysteresis=settings.hysteresis)
        field = "score" if self.score == LEAD else f"score.{self.score}"
        return {"field": field, "op": "gte" if level.rising else "lt", "value": level.value}

    def problems(self) -> Iterable[Problem]:
        try:
            check_threshold(self.threshold)
        except BadRules as error:
            yield Problem(None, f"{PLACE}.threshold", "bad_value", error.problems[0].message)
        if self.score != LEAD and self.score not in reading.names():
            yield ref_missing("score", "score", self.score)

    def sentence(self) -> str:
        score = "The score" if self.score == LEAD else f"The score “{self.score}”"
        if self.direction == "up":
            return f"{score} reaches {self.threshold:g}"
        return f"{score} falls below {self.threshold:g} again, after it had reached it"
