"""A contact comes to a lifecycle stage."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, Literal

from scoring.lifecycle import stages
from workflows.definition import phrases
from workflows.definition.problems import Problem
from workflows.definition.shown import Shown
from workflows.triggers.base import PLACE, TriggerType, property_is


class LifecycleChanged(TriggerType):
    type: Literal["lifecycle_changed"]
    label: ClassVar = "Lifecycle stage changed"
    to: Annotated[str, Shown("The contact comes to", control="stage")]

    def event_type(self) -> str:
        return "lifecycle_changed"

    def filter(self) -> dict[str, Any]:
        return property_is("to", self.to)

    def standing(self) -> dict[str, Any]:
        return {"field": "lifecycle_stage", "op": "eq", "value": self.to}

    def sentence(self) -> str:
        return f"The contact comes to the lifecycle stage {phrases.stage(self.to)}"

    def problems(self) -> Iterable[Problem]:
        if self.to not in stages.STAGES:
            known = ", ".join(stages.STAGES)
            yield Problem(None, f"{PLACE}.to", "bad_value", f"there is no stage {self.to!r}; there are {known}")
