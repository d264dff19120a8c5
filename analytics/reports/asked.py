"""What somebody asks of a report, read from an address, a form or a stored subscription. Pure but for the values that
a mart has, which are given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from urllib.parse import urlencode

from analytics.reports.report import Choice, OneOf, Period, Report
from contacts.faults import Fault

LONGEST = 500


class BadFilters(ValueError):
    """A filter asks for what cannot be; `faults` name the parameters."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("; ".join(f"{'.'.join(map(str, fault.loc))}: {fault.msg}" for fault in faults))
        self.faults = faults


@dataclass(frozen=True)
class Asked:
    """`values`: the parameters of the query. `given`: what was said, as text, to be asked again: without what is usual
    and without what says nothing."""

    values: Mapping[str, Any] = field(default_factory=dict)
    given: Mapping[str, str] = field(default_factory=dict)


def read(report: Report, said: Mapping[str, Any], *, strict: bool = True) -> Asked:
    """`said`: parameter -> text. Names that the report does not know are refused where `strict`, else left out (an
    address of a page may say more). Raises BadFilters."""
    faults: list[Fault] = []
    values: dict[str, Any] = {}
    given: dict[str, str] = {}
    known: set[str] = set()
    for each in report.filters:
        for key in names(each):
            known.add(key)
            text = said.get(key, "")
            text = text.strip() if isinstance(text, str) else "\x00"
            try:
                values[key] = _value(each, text)
            except ValueError as error:
                faults.append(Fault("invalid", str(error), (key,)))
                continue
            if text and not (isinstance(each, Choice) and text == each.usual):
                given[key] = text
        if isinstance(each, Period) and not faults:
            since, until = values[f"{each.key}_from"], values[f"{each.key}_to"]
            if since and until and since > until:
                faults.append(Fault("order", "ends before it begins", (f"{each.key}_to",)))
    if strict:
        faults += [Fault("unknown", "is no filter of this report", (key,)) for key in sorted(set(said) - known)]
    if faults:
        raise BadFilters(faults)
    return Asked(values, given)


def names(each: Choice | OneOf | Period) -> tuple[str, ...]:
    """The parameters of a filter."""
    return (f"{each.key}_from", f"{each.key}_to") if isinstance(each, Period) else (each.key,)


def _value(each: Choice | OneOf | Period, text: str) -> Any:
    """Raises ValueError, whose words follow the parameter's name."""
    if "\x00" in text or len(text) > LONGEST or not text.isprintable():
        raise ValueError("is no text that can be looked for")
    if isinstance(each, Choice):
        if text and text not in each.options:
            raise ValueError(f"must be one of {', '.join(each.options)}")
        return text or each.usual
    if not text:
        return None
    if isinstance(each, OneOf):
        return text
    try:
        return date.fromisoformat(text) if len(text) == len("2026-01-31") else _no_day()
    except ValueError:
        raise ValueError("must be a day such as 2026-01-31") from None


def _no_day() -> date:
    raise ValueError


def query(asked: Asked) -> str:
    """What was asked as the end of an address, to be asked again; empty for nothing."""
    return f"?{urlencode(asked.given)}" if asked.given else ""


def sentence(report: Report, asked: Asked) -> str:
    """What was asked, in words: `Model: Linear · Days: from 2026-01-01`. What is usual is said too."""
    parts = []
    for each in report.filters:
        if isinstance(each, Choice):
            parts.append(f"{each.label}: {each.options[asked.values[each.key]]}")
        elif isinstance(each, OneOf):
            parts.append(f"{each.label}: {asked.values[each.key] or each.every}")
        else:
            since, until = (asked.given.get(key) for key in names(each))
            if since or until:
                said = " ".join([*([f"from {since}"] if since else []), *([f"to {until}"] if until else [])])
                parts.append(f"{each.label}: {said}")
    return " · ".join(parts)
