"""The calendar comes to a date, and everybody of a segment enters."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, Literal

from contacts.audiences import segments
from workflows.definition import phrases
from workflows.definition.problems import Problem
from workflows.definition.shown import Shown
from workflows.definition.strict import Name
from workflows.entry import recurrence
from workflows.triggers.base import PLACE, TriggerType, ref_missing


class Schedule(TriggerType):
    """`rrule`: RFC 5545, on the clock of the workflow's default time zone; without DTSTART it counts from the
    instant of publishing. `segment`: the slug of the segment."""

    type: Literal["schedule"]
    label: ClassVar = "Schedule"
    rrule: Annotated[
        str,
        Shown("When", control="recurrence", help="On the clock of the journey’s default time zone (see Settings)."),
    ]
    segment: Annotated[Name, Shown("Who enters", control="segment", help="Everybody who is in this segment then.")]

    def event_type(self) -> None:
        return None

    def standing(self) -> dict[str, Any]:
        return {"in_segment": self.segment}

    def problems(self) -> Iterable[Problem]:
        try:
            recurrence.parse(self.rrule)
        except recurrence.BadRecurrence as error:
            yield Problem(None, f"{PLACE}.rrule", "bad_value", str(error))
        if segments.unknown([self.segment]):
            yield ref_missing("segment", "segment", self.segment)

    def sentence(self) -> str:
        return f"Everybody of the segment {phrases.quoted(self.segment)} enters by the calendar ({self.rrule})"
