"""Contacts as a file: all of them, or those with a tag, in a list or in a segment; as CSV, TSV or JSON lines, page by
page, so that a million costs no more memory than a thousand.

Cells that a spreadsheet would run are made harmless (`contacts.spreadsheets`) unless raw cells are asked for; an import
of the file gives the same people back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from contacts import spreadsheets
from contacts.collect.people import WHOLE_MARKETING
from contacts.consent import GRANTED
from contacts.living import living
from contacts.models import Contact, ContactTag, ListMember, SegmentMember
from contacts.shapes import shapes
from contacts.upserting import FIELDS

CSV, TSV, JSON_LINES = "csv", "tsv", "jsonl"
FORMATS = {CSV: "text/csv", TSV: "text/tab-separated-values", JSON_LINES: "application/x-ndjson"}
AT_ONCE = 1000
MOST_ATTRIBUTES = 150  # that become columns by themselves; an import takes 200 columns

CONSENT_COLUMNS = {"consent_marketing": "marketing", "consent_tracking": "tracking"}
PLAIN = ("id", *FIELDS, "created_at", "tags", "lists", "segments", *CONSENT_COLUMNS)
_BY_THEMSELVES = ("id", *FIELDS, "created_at", "tags", "lists", *CONSENT_COLUMNS)
_ATTRIBUTE = "attributes."  # before a name that one of PLAIN has


@dataclass(frozen=True)
class Selection:
    """Who is exported: everybody in all of what is given. Names of a tag, and slugs."""

    tag: str = ""
    list: str = ""
    segment: str = ""


@dataclass(frozen=True)
class Table:
    """How it is written. `columns`: names of PLAIN, else of attributes (`attributes.NAME` always is one); None: all
    that there are. `raw`: cells as they are, dangerous ones too."""

    format: str = CSV
    columns: Sequence[str] | None = None
    raw: bool = False


def export(selection: Selection, table: Table) -> Iterator[str]:
    """The file in pieces of some hundred lines; each is read when it is asked for. CSV and TSV begin with a header."""
    if table.format == JSON_LINES:
        for page in _pages(selection):
            yield "".join(json.dumps(each, ensure_ascii=False, default=str) + "\n" for each in page)
        return
    columns = list(table.columns) if table.columns is not None else [*_BY_THEMSELVES, *_attributes(selection)]
    write = _writer(table)
    yield write([columns])
    readers = [_reader(column) for column in columns]
    for page in _pages(selection):
        yield write([[read(each) for read in readers] for each in page])


def _pages(selection: Selection) -> Iterator[list[dict[str, Any]]]:
    for contacts in _contacts(selection):
        page = shapes(contacts)
        for shape, contact in zip(page, contacts, strict=True):
            shape["created_at"] = contact.created_at.isoformat().replace("+00:00", "Z")
        yield page


def _contacts(selection: Selection) -> Iterator[list[Contact]]:
    chosen = living()
    if selection.tag:
        chosen = chosen.filter(pk__in=ContactTag.objects.filter(tag__name=selection.tag).values("contact_id"))
    if selection.list:
        chosen = chosen.filter(pk__in=ListMember.objects.filter(list__slug=selection.list).values("contact_id"))
    if selection.segment:
        inside = SegmentMember.objects.filter(segment__slug=selection.segment)
        chosen = chosen.filter(pk__in=inside.values("contact_id"))
    last = 0
    while contacts := list(chosen.filter(pk__gt=last).order_by("pk")[:AT_ONCE]):
        yield contacts
        last = contacts[-1].pk


def _attributes(selection: Selection) -> list[str]:
    """The names that somebody has, in their order; those of PLAIN with a word before them."""
    names: dict[str, None] = {}
    for contacts in _contacts(selection):
        for contact in contacts:
            names.update(dict.fromkeys(contact.attributes))
        if len(names) > MOST_ATTRIBUTES:
            break
    return [_ATTRIBUTE + name if name in PLAIN else name for name in sorted(names)[:MOST_ATTRIBUTES]]


def _writer(table: Table) -> Callable[[Sequence[Sequence[str]]], str]:
    return partial(spreadsheets.lines, delimiter="\t" if table.format == TSV else ",", raw=table.raw)


def _reader(column: str) -> Callable[[dict[str, Any]], str]:
    if column in CONSENT_COLUMNS:
        return lambda shape: _consent(shape["consents"].get(CONSENT_COLUMNS[column]))
    if column in {"tags", "lists", "segments"}:
        return lambda shape: ";".join(shape[column])
    if column in PLAIN:
        return lambda shape: str(shape[column])
    name = column.removeprefix(_ATTRIBUTE)
    return lambda shape: _text(shape["attributes"].get(name))


def _consent(said: Any) -> str:
    state = said.get(WHOLE_MARKETING) if isinstance(said, dict) else said
    return "" if state is None else "true" if state == GRANTED else "false"


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
