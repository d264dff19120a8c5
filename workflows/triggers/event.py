"""Any event that a producer sends, or that we record ourselves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, Literal

from workflows.definition import phrases
from workflows.definition.conditions import EVENT_SCOPE, condition_problems
from workflows.definition.problems import Problem
from workflows.definition.shown import Shown
from workflows.definition.strict import Name
from workflows.triggers.base import PLACE, TriggerType


class Event(TriggerType):
    """`where` is a condition over the contact and `event.*`."""

    type: Literal["event"]
    label: ClassVar = "Event"
    event: Annotated[Name, Shown("Event", control="event", help="Choose one that was seen, or write its name.")]
    where: Annotated[
        dict[str, Any] | None,
        Shown("Only where this is true of it", control="condition", scope=EVENT_SCOPE),
    ] = None

    def event_type(self) -> str:
        return self.event

    def filter(self) -> dict[str, Any] | None:
        return self.where

    def sentence(self) -> str:
        where = f", if {phrases.condition(self.where)}" if self.where is not None else ""
        return f"The event {phrases.quoted(self.event)} happens{where}"

    def problems(self) -> Iterable[Problem]:
        return condition_problems(self.where, None, f"{PLACE}.where", EVENT_SCOPE)
