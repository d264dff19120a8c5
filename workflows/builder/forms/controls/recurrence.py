"""When something returns by the calendar: the usual rules to choose from, any other (RFC 5545) as a text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.http import QueryDict

from workflows.builder.forms.control import ABSENT, Control, Field, nothing

DAYS = (("MO", "Mon"), ("TU", "Tue"), ("WE", "Wed"), ("TH", "Thu"), ("FR", "Fri"), ("SA", "Sat"), ("SU", "Sun"))
HOW_OFTEN = (
    ("DAILY", "Every day"),
    ("WEEKLY", "Every week, on these days"),
    ("MONTHLY", "Every month, on this day"),
    ("OTHER", "By another rule"),
)
_DAY = "(?:MO|TU|WE|TH|FR|SA|SU)"
_USUAL = re.compile(
    r"FREQ=(?:(?P<daily>DAILY)|(?P<weekly>WEEKLY);BYDAY=(?P<days>" + _DAY + r"(?:," + _DAY + r")*)"
    r"|(?P<monthly>MONTHLY);BYMONTHDAY=(?P<day>[1-9]|[12]\d|3[01]|-1));BYHOUR=(?P<hour>\d{1,2});BYMINUTE=(?P<minute>\d{1,2})"
)


@dataclass(frozen=True)
class Usual:
    often: str
    days: tuple[str, ...] = ()
    day: str = "1"
    time: str = "09:00"

    @property
    def rule(self) -> str:
        which = {"WEEKLY": f";BYDAY={','.join(self.days)}", "MONTHLY": f";BYMONTHDAY={self.day}"}.get(self.often, "")
        hour, _, minute = self.time.partition(":")
        return f"FREQ={self.often}{which};BYHOUR={_plain(hour)};BYMINUTE={_plain(minute)}"


class Recurrence(Control):
    key = "recurrence"
    template = "recurrence.html"
    frame = "group"

    def fits(self, value: Any) -> bool:
        return nothing(value) or (isinstance(value, str) and value == value.strip() and not re.search(r"[\r\0]", value))

    def context(self, field: Field) -> Mapping[str, Any]:
        value = "" if nothing(field.value) else field.value
        found = usual(value)
        return {
            "how_often": HOW_OFTEN,
            "often": found.often if found else "OTHER" if value else "",
            "usual": found or Usual("DAILY"),
            "days": DAYS,
            "month_days": [*((str(day), f"day {day}") for day in range(1, 32)), ("-1", "last day")],
            "rule": value,
        }

    def read(self, data: QueryDict, name: str) -> Any:
        often = data.get(f"{name}:often", "")
        if often not in ("DAILY", "WEEKLY", "MONTHLY"):
            return data.get(name, "").replace("\r\n", "\n").strip() or ABSENT
        days = tuple(day for day, _ in DAYS if data.get(f"{name}:{day}"))
        return Usual(often, days, data.get(f"{name}:day", "1"), data.get(f"{name}:time", "")).rule


def usual(rule: str) -> Usual | None:
    """The rule as one of the usual ones; None where none of them says exactly the same."""
    found = _USUAL.fullmatch(rule)
    if found is None or int(found["hour"]) > 23 or int(found["minute"]) > 59:
        return None
    often = next(word for word in ("DAILY", "WEEKLY", "MONTHLY") if found[word.lower()])
    given = found["days"].split(",") if found["days"] else []
    days = tuple(day for day, _ in DAYS if day in given)
    made = Usual(often, days, found["day"] or "1", f"{int(found['hour']):02}:{int(found['minute']):02}")
    return made if made.rule == rule else None


def _plain(number: str) -> str:
    return str(int(number)) if number.isdecimal() else number
