"""A date that the contact has comes near: three days before `renewal`, at nine; or every year on `birthday`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import time, timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from contacts.durations import BadDuration, Duration, parse_offset
from workflows.definition import phrases
from workflows.definition.problems import Problem
from workflows.definition.shown import Shown
from workflows.definition.strict import CLOCK, Name
from workflows.triggers.base import PLACE, TriggerType

DAY = timedelta(days=1)
FARTHEST = 3720 * DAY


class Date(TriggerType):
    """`attribute` holds a date or an instant. `offset`: so long after it, `-P3D`: before. `at`: at this local time,
    otherwise at its own, midnight for a date. `every_year`: on the same day of each year, 29 February on the 28th
    where there is none."""

    type: Literal["date"]
    label: ClassVar = "Date of the contact"
    existing: ClassVar = False
    attribute: Annotated[Name, Shown("Which date", control="date_attribute", help="An attribute that holds a date.")]
    offset: Annotated[str | None, Shown("Before or after it", control="offset", help="Empty: on the day itself.")] = (
        None
    )
    at: Annotated[
        str | None,
        Field(pattern=CLOCK),
        Shown("Time of day", control="clock", help="On the contact’s own clock. Empty: at the date’s own time."),
    ] = None
    every_year: Annotated[bool, Shown("Every year", help="As for a birthday: on the same day of each year.")] = False

    def event_type(self) -> None:
        return None

    @property
    def moved_by(self) -> Duration:
        return parse_offset(self.offset or "PT0S")

    @property
    def local_time(self) -> time | None:
        return time.fromisoformat(self.at) if self.at else None

    def problems(self) -> Iterable[Problem]:
        try:
            offset = self.moved_by
        except BadDuration as error:
            yield Problem(None, f"{PLACE}.offset", "bad_value", str(error))
            return
        if abs(offset.months) * 31 * DAY + abs(offset.days) * DAY + abs(offset.elapsed) > FARTHEST:
            yield Problem(None, f"{PLACE}.offset", "bad_value", "at most ten years before or after the date")

    def sentence(self) -> str:
        when = f"The date in {phrases.quoted(self.attribute)}"
        if self.offset:
            side = "before" if self.offset.startswith("-") else "after"
            when = f"{phrases.span(self.offset)} {side} the date in {phrases.quoted(self.attribute)}"
        at = f", at {self.at}" if self.at else ""
        return f"{when}{', every year' if self.every_year else ''}{at}, on the contact’s own clock"
