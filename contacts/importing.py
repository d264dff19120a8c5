"""Contacts from a table: a thousand rows at a time, in a constant number of statements, and the same again changes
nothing.

Known columns become fields, `consent_marketing` and `consent_tracking` (true or false) become consent records, and
every other column becomes an attribute. An empty cell says nothing: it never deletes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from contacts.collect.parsing import parse_instant
from contacts.consent import ALL_TOPICS, DENIED, GRANTED
from contacts.csv_rows import BadHeader, BrokenLine, Record
from contacts.faults import Fault
from contacts.identifiers import canonical
from contacts.upserting import FIELDS, Person, field_fault, upsert

BATCH = 1000
IDENTIFYING = ("external_id", "email")
CONSENTS = {"consent_marketing": "marketing", "consent_tracking": "tracking"}
STATES = {"true": GRANTED, "false": DENIED}

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,14})", re.ASCII)  # 007 is a text; longer ones are not exact in JSON
_REAL = re.compile(r"-?(?:0|[1-9][0-9]{0,14})\.[0-9]{1,15}", re.ASCII)
_BOOLEANS = {"true": True, "false": False}


@dataclass(frozen=True)
class Row:
    """A row that was understood."""

    line: int
    person: Person


@dataclass
class Imported:
    """How many contacts were created, changed and left as they were, and the rows that were refused."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: list[BrokenLine] = field(default_factory=list)

    def add(self, other: Imported) -> None:
        self.created += other.created
        self.updated += other.updated
        self.unchanged += other.unchanged
        self.refused += other.refused


def check_columns(names: Iterable[str]) -> None:
    """Raises BadHeader where no column says who a row is about."""
    if not set(IDENTIFYING) & set(names):
        raise BadHeader("the header must name external_id or email, separated by commas from the other columns")


def understand(record: Record) -> Row | BrokenLine:
    """What a row says, or why it cannot be imported: the first reason, without the value."""
    values = {name: value.strip() for name, value in record.values.items()}
    if reason := _reason(values):
        return BrokenLine(record.line, reason)
    created_at = parse_instant(values["created_at"]) if "created_at" in values else None
    if isinstance(created_at, Fault):
        return BrokenLine(record.line, f"created_at: {created_at.msg}")
    person = Person(
        fields={
            name: canonical("phone", values[name]) if name == "phone" else values[name]
            for name in FIELDS
            if name in values
        },
        attributes={
            name: typed(value)
            for name, value in values.items()
            if name not in FIELDS and name not in CONSENTS and name != "created_at"
        },
        consents={
            (category, ALL_TOPICS): STATES[values[name].lower()]
            for name, category in CONSENTS.items()
            if name in values
        },
        created_at=created_at,
    )
    return Row(record.line, person)


def _reason(values: Mapping[str, str]) -> str:
    if not any(name in values for name in IDENTIFYING):
        return "names nobody: external_id and email are empty"
    for name in FIELDS:
        if name in values and (found := field_fault(name, values[name])):
            return f"{name}: {found.msg}"
    for name in CONSENTS:
        if name in values and values[name].lower() not in STATES:
            return f"{name}: must be true or false"
    return ""


def typed(value: str) -> Any:
    """A cell as JSON: a number or true/false where it is written as one and would be written so again; else text."""
    if _INTEGER.fullmatch(value):
        return int(value)
    if _REAL.fullmatch(value):
        return float(value)
    return _BOOLEANS.get(value, value)


def import_people(rows: Sequence[Row], *, source: str, now: datetime) -> Imported:
    """Create or complete these contacts, in the caller's transaction. At most BATCH of them.

    A row that PostgreSQL refuses is refused alone. Sends `contacts_changed` inside the transaction."""
    done = upsert([row.person for row in rows], source=source, now=now, lane="bulk")
    known = {contact for contact in done.contact_ids if contact is not None}
    return Imported(
        created=len(done.created),
        updated=len(done.updated),
        unchanged=len(known - done.created - done.updated),
        refused=[
            BrokenLine(row.line, "the database cannot store this row")
            for row, contact in zip(rows, done.contact_ids, strict=True)
            if contact is None
        ],
    )
