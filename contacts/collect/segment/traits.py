"""What Segment's traits say about a contact. Pure.

| trait | becomes |
| --- | --- |
| `email`, `phone`, `timezone`, `locale`, `region` | the field, where it is valid; else an attribute |
| `createdAt` (ISO 8601, or seconds or milliseconds since 1970) | an attribute, and how old the contact is |
| everything else (`name`, `firstName`, `address`, …) | an attribute of that name, whatever it holds |

A null takes an attribute away and says nothing about a field. A region where nobody may be stored is a fault.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from contacts.collect.parsing import parse_instant
from contacts.events import RESIDENCY
from contacts.faults import Fault
from contacts.identifiers import canonical
from contacts.upserting import field_fault, name_fault

FIELDS = ("email", "phone", "timezone", "locale", "region")

_SECONDS_UNTIL = 100_000_000_000  # a number below it is seconds (until the year 5138), above it milliseconds
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Traits:
    """`fields` are valid and have no surrounding space; `attributes` are JSON values."""

    fields: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)
    created_at: datetime | None = None


def read(traits: Mapping[str, Any], faults: list[Fault]) -> Traits:
    """Traits that are sound JSON. What is wrong goes to `faults`."""
    fields: dict[str, str] = {}
    attributes: dict[str, Any] = {}
    for name, value in traits.items():
        if name in FIELDS:
            if value is None or value == "":
                continue
            said = value.strip() if isinstance(value, str) else ""
            wrong = field_fault(name, said) if said else Fault("type", "must be a text")
            if wrong is None:
                fields[name] = canonical("phone", said) if name == "phone" else said
                continue
            if wrong.code == RESIDENCY.code:
                faults.append(wrong.below("traits"))
        if wrong := name_fault(name):
            faults.append(wrong.below("traits", name))
        attributes[name] = value
    return Traits(fields, attributes, _created_at(traits.get("createdAt")))


def _created_at(value: Any) -> datetime | None:
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _SECONDS_UNTIL:
        return _EPOCH + timedelta(seconds=value)
    instant = parse_instant(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else None
    return instant if isinstance(instant, datetime) else None
