"""What a row says about a person, by the meaning of its columns. An empty cell says nothing: it never deletes. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from contacts.collect.parsing import parse_instant
from contacts.faults import Fault
from contacts.identifiers import LONGEST, canonical, canonical_email
from contacts.importing import values
from contacts.importing.csv_rows import BrokenLine, Record
from contacts.importing.mapping import (
    ATTRIBUTE,
    CONSENT,
    CREATED_AT,
    IDENTIFYING,
    IGNORE,
    LISTS,
    TAGS,
    Column,
    ColumnMap,
)
from contacts.spreadsheets import APOSTROPHE, original
from contacts.upserting import FIELDS, Person, field_fault, name_fault

REMEMBERED = 5000  # distinct values of a column whose meaning is kept: most columns repeat a few
MOST_WORDS = 100  # tags or lists in one row


Name = tuple[str, str]  # kind, canonical value


CELL = "\x00"  # stands between cells: never part of a text that PostgreSQL stores
_encode = json.JSONEncoder(ensure_ascii=False).encode


class Row(NamedTuple):
    """A row that was understood."""

    line: int
    person: Person
    raw: str = ""
    # what writing the row takes, as far as whoever read it has made it out: reading and writing overlap
    names: Sequence[Name] = ()
    cells: str = ""


def named(person: Person) -> list[Name]:
    """How somebody is named here, in the form in which names are compared."""
    fields, found = person.fields, []
    for kind in IDENTIFYING:
        value = fields.get(kind)
        if value:
            found.append((kind, canonical_email(value) if kind == "email" else canonical(kind, value)))
    return found


def profile_cells(person: Person, attributes: str = "") -> str:
    """FIELDS and the attributes of somebody new, as they are copied; `attributes`: those as JSON, where it is known."""
    get = person.fields.get
    return CELL.join([*[get(name, "") for name in FIELDS], attributes or _encode(person.attributes)])


class _Said:
    """What the cells of one row have said so far."""

    __slots__ = ("attributes", "consents", "created_at", "fields", "lists", "names", "parts", "tags")

    def __init__(self) -> None:
        self.fields: dict[str, Any] = {}
        self.names: dict[str, str] = {}  # kind -> canonical value
        self.attributes: dict[str, Any] = {}
        self.parts: list[str] = []  # of the attributes as JSON
        self.consents: dict[tuple[str, str], str] = {}
        self.created_at: datetime | None = None
        self.tags: list[str] = []
        self.lists: list[str] = []


Put = Callable[[str, _Said], str]  # takes a cell without surrounding space; the reason why it cannot be, or empty


def understanding(
    mapping: ColumnMap, header: Sequence[str], lists: Collection[str] = ()
) -> Callable[[Record], Row | BrokenLine]:
    """A function that says what a record of this header means, or why it cannot be imported: the first reason,
    without the value. `lists`: the slugs that there are."""
    columns = [mapping.columns.get(name, Column(IGNORE)) for name in header]
    puts = [(position, _put(header[position], column, lists)) for position, column in enumerate(columns)]
    steps = [(position, put) for position, put in puts if put]
    key = mapping.key

    def understand(record: Record) -> Row | BrokenLine:
        cells = record.cells
        said = _Said()
        for position, put in steps:
            cell = cells[position].strip()
            if cell[:1] == APOSTROPHE:
                cell = original(cell).strip()
            if cell and (reason := put(cell, said)):
                return BrokenLine(record.line, reason, record.raw)
        fields = said.fields
        if key and not fields.get(key):
            return BrokenLine(record.line, f"names nobody: {key} is empty", record.raw)
        canonical_names = said.names
        if not canonical_names:
            return BrokenLine(record.line, "names nobody: external_id, email and phone are empty", record.raw)
        person = Person(
            fields, said.attributes, said.consents, said.tags, said.lists, created_at=said.created_at, key=key
        )
        names = [(kind, canonical_names[kind]) for kind in IDENTIFYING if kind in canonical_names]
        return Row(record.line, person, record.raw, names, profile_cells(person, f"{{{', '.join(said.parts)}}}"))

    return understand


def _put(name: str, column: Column, lists: Collection[str]) -> Put | None:
    if column.to == IGNORE:
        return None
    if column.to in FIELDS:
        return _field(name, column.to)
    if column.to == CREATED_AT:
        return _created_at(name)
    if column.to in {TAGS, LISTS}:
        return _words(name, column.to, frozenset(lists))
    if column.to.startswith(CONSENT):
        category, _, topic = column.to.removeprefix(CONSENT).partition(":")
        return _consent(name, category, topic)
    return _attribute(name, column.to.removeprefix(ATTRIBUTE), column.type)


def _field(column: str, field: str) -> Put:
    known: set[str] = set()

    def put(cell: str, said: _Said) -> str:
        if cell not in known:
            if found := field_fault(field, cell):
                return f"{column}: {found.msg}"
            if len(known) < REMEMBERED:
                known.add(cell)
        said.fields[field] = cell
        return ""

    def put_id(cell: str, said: _Said) -> str:
        if len(cell) > LONGEST or not (cell.isascii() and cell.isprintable()):
            return put_name(cell, said)
        said.fields[field] = said.names[field] = cell
        return ""

    def put_name(cell: str, said: _Said) -> str:
        if found := field_fault(field, cell):
            return f"{column}: {found.msg}"
        name = said.names[field] = canonical_email(cell) if field == "email" else canonical(field, cell)
        said.fields[field] = name if field == "phone" else cell
        return ""

    if field == "external_id":
        return put_id
    return put_name if field in IDENTIFYING else put


def _attribute(column: str, attribute: str, kind: str) -> Put:
    read = values.TYPES[kind][1]
    key = _encode(attribute)
    known: dict[str, tuple[Any, str]] = {}

    def put(cell: str, said: _Said) -> str:
        found = known.get(cell)
        if found is None:
            value = read(cell)
            if value is None:
                return f"{column}: {values.EXPECTED[kind]}"
            found = value, f"{key}: {_encode(value)}"
            if len(known) < REMEMBERED:
                known[cell] = found
        said.attributes[attribute], part = found
        said.parts.append(part)
        return ""

    return put


def _consent(column: str, category: str, topic: str) -> Put:
    def put(cell: str, said: _Said) -> str:
        state = values.agreed(cell)
        if state is None:
            return f"{column}: must be true or false"
        said.consents[category, topic] = state
        return ""

    return put


def _created_at(column: str) -> Put:
    def put(cell: str, said: _Said) -> str:
        instant = parse_instant(cell)
        if isinstance(instant, Fault) and (day := values.day(cell)):  # many systems tell the day only
            instant = parse_instant(f"{day}T00:00:00Z")
        if isinstance(instant, Fault):
            return f"{column}: {instant.msg}"
        said.created_at = instant
        return ""

    return put


def _words(column: str, target: str, lists: frozenset[str]) -> Put:
    def put(cell: str, said: _Said) -> str:
        words = values.several(cell)
        mine = said.tags if target == TAGS else said.lists
        for word in words:
            if wrong := name_fault(word):
                return f"{column}: {wrong.msg}"
            if target == LISTS and word not in lists:
                return f"{column}: there is no such list"
            if word not in mine:
                mine.append(word)
        if len(mine) > MOST_WORDS:
            return f"{column}: more than {MOST_WORDS} {target}"
        return ""

    return put
