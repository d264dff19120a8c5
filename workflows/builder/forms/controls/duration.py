"""How long: amounts with their units, as an ISO 8601 duration (P1DT12H)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from django.http import QueryDict

from workflows.builder.forms.control import ABSENT, Control, Field, nothing
from workflows.builder.forms.rows import NEW, Row, sent

Part = tuple[str, str]  # amount, unit

_ISO = re.compile(r"P(?:(\d+)W|(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?)")
_IN_ORDER = ("weeks", "years", "months", "days", "hours", "minutes", "seconds")
_LETTERS = {"years": "Y", "months": "M", "days": "D", "hours": "H", "minutes": "M", "seconds": "S"}
_OF_THE_CLOCK = ("hours", "minutes", "seconds")


class Duration(Control):
    key = "duration"
    template = "duration.html"
    frame = "group"
    stand_in = "text"
    units: ClassVar[Sequence[str]] = ("minutes", "hours", "days", "weeks")

    def fits(self, value: Any) -> bool:
        return nothing(value) or (isinstance(value, str) and (parts := parts_of(value)) != [] and iso(parts) == value)

    def context(self, field: Field) -> Mapping[str, Any]:
        parts = [] if nothing(field.value) else parts_of(self.length(field.value))
        usual = "days" if "days" in self.units else self.units[0]
        shown = parts or [("", usual)]
        units = [unit for unit in _IN_ORDER if unit in self.units or unit in {each for _, each in shown}]
        return {
            "rows": [Row(str(number), {"amount": amount, "unit": unit}) for number, (amount, unit) in enumerate(shown)],
            "new": Row(NEW, {"amount": "", "unit": "hours"}),
            "units": sorted(units, key=("seconds", "minutes", "hours", "days", "weeks", "months", "years").index),
        }

    def length(self, value: str) -> str:
        """The part of the value that says how long."""
        return value

    def read(self, data: QueryDict, name: str) -> Any:
        rows = sent(data, name, "amount")
        return iso((row["amount"].strip(), row.get("unit", "")) for row in rows) or ABSENT


def parts_of(text: str) -> list[Part]:
    """`P1DT12H` as ("1", "days"), ("12", "hours"); nothing where it is no duration."""
    found = _ISO.fullmatch(text)
    if found is None:
        return []
    return [(amount, unit) for amount, unit in zip(found.groups(), _IN_ORDER, strict=True) if amount is not None]


def iso(parts: Iterable[Part]) -> str:
    """The parts as one duration; empty where none has an amount. Weeks stand alone in it, so beside others they are
    days. An amount that is no number is left as it is, for the definition's rules to refuse."""
    said = [(amount, unit) for amount, unit in parts if amount]
    if odd := [amount for amount, _ in said if not re.fullmatch(r"\d{1,9}", amount)]:
        return odd[0]
    if len(said) == 1:
        (amount, unit) = said[0]
        clock = "T" if unit in _OF_THE_CLOCK else ""
        return f"P{clock}{amount}{_LETTERS.get(unit, 'W')}"
    amounts: Counter[str] = Counter()
    for amount, unit in said:
        amounts["days" if unit == "weeks" else unit] += int(amount) * (7 if unit == "weeks" else 1)
    day, clock = (
        "".join(f"{amounts[unit]}{letter}" for unit, letter in _LETTERS.items() if unit in amounts and within(unit))
        for within in (lambda unit: unit not in _OF_THE_CLOCK, lambda unit: unit in _OF_THE_CLOCK)
    )
    return f"P{day}{'T' if clock else ''}{clock}" if said else ""
