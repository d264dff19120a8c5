"""What the text of a cell means: a number, true or false, a date, or itself. Pure.

`None` says that it does not mean what its column is said to hold."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import Any

from contacts.collect.parsing import parse_instant
from contacts.consent import DENIED, GRANTED
from contacts.faults import Fault

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,14})", re.ASCII)  # 007 is a text; longer ones are not exact in JSON
_REAL = re.compile(r"-?(?:0|[1-9][0-9]{0,14})\.[0-9]{1,15}", re.ASCII)
_BOOLEANS = {"true": True, "false": False}
_YES = frozenset({"true", "yes", "y", "1", "on", "t"})
_NO = frozenset({"false", "no", "n", "0", "off", "f"})
_AGREED = {**dict.fromkeys([*_YES, "granted", "subscribed"], GRANTED)} | dict.fromkeys(
    [*_NO, "denied", "unsubscribed"], DENIED
)
_YEAR_FIRST = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})", re.ASCII)
_YEAR_LAST = re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})", re.ASCII)
_SEPARATOR = re.compile(r"[,;|]")


def typed(value: str) -> Any:
    """A number or true/false where it is written as one and would be written so again; else the text."""
    if _INTEGER.fullmatch(value):
        return int(value)
    if _REAL.fullmatch(value):
        return float(value)
    return _BOOLEANS.get(value, value)


def number(value: str) -> int | float | None:
    found = typed(value.removeprefix("+"))
    return None if isinstance(found, str | bool) else found


def boolean(value: str) -> bool | None:
    lower = value.lower()
    return True if lower in _YES else False if lower in _NO else None


def agreed(value: str) -> str | None:
    """granted or denied."""
    return _AGREED.get(value.lower())


def day(value: str) -> str | None:
    """A day or an instant in ISO 8601; 2026-03-04, 2026/3/4 and 4.3.2026 (with dots, the day first) are days."""
    if found := _YEAR_FIRST.fullmatch(value):
        return _iso(*found.groups())
    if (found := _YEAR_LAST.fullmatch(value)) and "." in value:
        return day_first(value)
    instant = parse_instant(value)
    return None if isinstance(instant, Fault) else instant.isoformat()


def day_first(value: str) -> str | None:
    found = _YEAR_LAST.fullmatch(value)
    return _iso(found[3], found[2], found[1]) if found else None


def month_first(value: str) -> str | None:
    found = _YEAR_LAST.fullmatch(value)
    return _iso(found[3], found[1], found[2]) if found else None


def _iso(year: str, month: str, of_month: str) -> str | None:
    try:
        return date(int(year), int(month), int(of_month)).isoformat()
    except ValueError:
        return None


def several(value: str) -> list[str]:
    """The words of a cell that holds several, separated by comma, semicolon or a bar."""
    return [word for part in _SEPARATOR.split(value) if (word := part.strip())]


TYPES: dict[str, tuple[str, Callable[[str], Any]]] = {
    "auto": ("as it is written", typed),
    "text": ("text", str),
    "number": ("number", number),
    "boolean": ("yes or no", boolean),
    "date": ("date (2026-03-04)", day),
    "date_dmy": ("date, day first (04/03/2026)", day_first),
    "date_mdy": ("date, month first (03/04/2026)", month_first),
}
EXPECTED = {
    "number": "must be a number",
    "boolean": "must be yes or no",
    "date": "must be a date such as 2026-03-04",
    "date_dmy": "must be a date such as 04/03/2026, the day first",
    "date_mdy": "must be a date such as 03/04/2026, the month first",
}
