"""ISO 8601 durations, of which calendar days and elapsed hours are not the same thing. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta

_PATTERN = re.compile(
    r"P(?:(?P<weeks>\d{1,6})W|(?:(?P<days>\d{1,6})D)?"
    r"(?:T(?:(?P<hours>\d{1,6})H)?(?:(?P<minutes>\d{1,6})M)?(?:(?P<seconds>\d{1,6})S)?)?)",
)


class BadDuration(ValueError):
    """Not an ISO 8601 duration of weeks, days, hours, minutes and seconds."""


@dataclass(frozen=True)
class Duration:
    """`days` are calendar days in somebody's time zone; `elapsed` is hours, minutes and seconds of physical time."""

    days: int
    elapsed: timedelta

    def total(self) -> timedelta:
        """The length when a day is taken as 24 hours: for windows, caps and decay."""
        return timedelta(days=self.days) + self.elapsed


def parse_duration(text: str) -> Duration:
    """`P3D`, `PT72H`, `P1DT12H`, `P2W`. Months and years are refused: their length is nobody's guess.

    Raises BadDuration."""
    match = _PATTERN.fullmatch(text) if isinstance(text, str) else None
    if match is None or text in {"P", "PT"} or text.endswith("T"):
        raise BadDuration(f"expected an ISO 8601 duration such as P3D or PT72H, got {text!r}")
    part = {name: int(value) for name, value in match.groupdict(default="0").items()}
    return Duration(
        days=part["weeks"] * 7 + part["days"],
        elapsed=timedelta(hours=part["hours"], minutes=part["minutes"], seconds=part["seconds"]),
    )


def parse_offset(text: str) -> Duration:
    """A duration that may point backwards: `-P3D` is three days before. Raises BadDuration."""
    if isinstance(text, str) and text.startswith("-"):
        forwards = parse_duration(text[1:])
        return Duration(days=-forwards.days, elapsed=-forwards.elapsed)
    return parse_duration(text)


def window(text: str, *, speed: float) -> timedelta:
    """A duration as a span of physical time, shortened when the installation runs faster than life."""
    return parse_duration(text).total() / speed
