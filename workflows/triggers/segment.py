"""A contact enters or leaves a segment."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, Literal

from contacts.audiences import segments
from workflows.definition import phrases
from workflows.definition.problems import Problem
from workflows.definition.shown import Shown
from workflows.definition.strict import Name
from workflows.triggers.base import TriggerType, property_is, ref_missing


class _OfASegment(TriggerType):
    """`segment` is the segment's slug."""

    segment: Annotated[Name, Shown("Segment", control="segment")]

    def event_type(self) -> str:
        return self.type

    def filter(self) -> dict[str, Any]:
        return property_is("segment", self.segment)

    def sentence(self) -> str:
        does = "enters" if self.type == "segment_entered" else "leaves"
        return f"The contact {does} the segment {phrases.quoted(self.segment)}"

    def problems(self) -> Iterable[Problem]:
        if segments.unknown([self.segment]):
            yield ref_missing("segment", "segment", self.segment)


class SegmentEntered(_OfASegment):
    type: Literal["segment_entered"]
    label: ClassVar = "Segment entered"

    def standing(self) -> dict[str, Any]:
        return {"in_segment": self.segment}


class SegmentLeft(_OfASegment):
    type: Literal["segment_left"]
    label: ClassVar = "Segment left"

    def standing(self) -> dict[str, Any]:
        return {"not": {"in_segment": self.segment}}
