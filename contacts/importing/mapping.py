"""What each column of a file means, and how its cells are read. Guessed, shown, corrected, remembered. Pure.

A target is `external_id`, `email`, `phone`, `timezone`, `locale`, `region`, `owner_email`, `created_at`,
`attribute:NAME`, `consent:CATEGORY` or `consent:marketing:TOPIC`, `tags`, `lists`, or `ignore`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from contacts.consent import CATEGORIES
from contacts.importing import values
from contacts.importing.csv_rows import BadHeader
from contacts.upserting import FIELDS, name_fault

IDENTIFYING = ("external_id", "email", "phone")
CREATED_AT, TAGS, LISTS, IGNORE = "created_at", "tags", "lists", "ignore"
PLAIN = (*FIELDS, CREATED_AT, TAGS, LISTS, IGNORE)
ATTRIBUTE, CONSENT = "attribute:", "consent:"
_CONSENT_COLUMNS = {"consent_marketing": "consent:marketing", "consent_tracking": "consent:tracking"}

# How people call these columns, in the letters and digits of the name alone
_CALLED = {
    "external_id": "externalid userid customerid contactid clientid memberid uid extid",
    "email": "email emailaddress mail mailaddress emailadresse correo courriel",
    "phone": "phone phonenumber telephone tel mobile mobilephone cell cellphone telefon",
    "timezone": "timezone tz",
    "locale": "locale language lang",
    "region": "region dataregion",
    "owner_email": "owneremail owner accountowner salesowner",
    "created_at": "createdat created createdon signupdate signedupat registeredat joinedat",
    "tags": "tags labels",
    "lists": "lists",
    "consent:marketing": (
        "consent marketingconsent consentmarketing optin emailoptin newsletter subscribed gdprconsent acceptsmarketing"
    ),
    "consent:tracking": "consenttracking trackingconsent",
}
# The columns that every whole export has: a file with all of them is one of ours
_OURS = frozenset({"id", *FIELDS, CREATED_AT, TAGS, LISTS})
_SHOWN_ONLY = frozenset({"id", "segments"})  # an id names nobody here, and segments are by condition
_EXPORTED = "attributes."  # stands before an attribute that is called like one of our columns

_MEANS = {word: target for target, words in _CALLED.items() for word in words.split()}
_TELLING = 100  # cells of a column that a guess looks at


@dataclass(frozen=True)
class Column:
    """`type`: one of values.TYPES; it counts for attributes."""

    to: str
    type: str = "auto"


@dataclass(frozen=True)
class ColumnMap:
    """`columns`: by the name in the header; a column that is not named is ignored. `key`: the identifier that every row
    must have and that decides first who is meant; empty: any, in the order external_id, email, phone."""

    columns: Mapping[str, Column]
    key: str = ""

    def as_json(self) -> dict[str, Any]:
        return {"columns": {name: vars(column) for name, column in self.columns.items()}, "key": self.key}


def mapping_of(raw: Any) -> ColumnMap:
    """The mapping in this JSON value: {"columns": {NAME: {"to", "type"?} | "TARGET"}, "key"?}. Raises ValueError: the
    sentence says what is wrong."""
    if not isinstance(raw, dict) or not isinstance(raw.get("columns"), dict):
        raise ValueError('a mapping is {"columns": {"NAME": {"to": "email"}}}')
    columns: dict[str, Column] = {}
    for name, value in raw["columns"].items():
        said = {"to": value} if isinstance(value, str) else value
        if not isinstance(said, dict):
            raise ValueError(f"the column {name!r} must say where it goes")
        column = Column(str(said.get("to", "")), str(said.get("type") or "auto"))
        if wrong := target_fault(column):
            raise ValueError(f"the column {name!r} {wrong}")
        columns[str(name)] = column
    key = raw.get("key") or ""
    if key and key not in IDENTIFYING:
        raise ValueError(f"the key must be one of {', '.join(IDENTIFYING)}")
    return ColumnMap(columns, key)


def target_fault(column: Column) -> str:
    """Why a column cannot go there, or empty."""
    if column.type not in values.TYPES:
        return f"has no such type: {column.type}"
    if column.to in PLAIN:
        return ""
    if column.to.startswith(ATTRIBUTE):
        wrong = name_fault(column.to.removeprefix(ATTRIBUTE))
        return f"goes to an attribute whose name {wrong.msg}" if wrong else ""
    if column.to.startswith(CONSENT):
        category, _, topic = column.to.removeprefix(CONSENT).partition(":")
        if category not in CATEGORIES or (topic and (category != "marketing" or name_fault(topic))):
            return "goes to a consent that there is not"
        return ""
    return "goes nowhere: a field, attribute:NAME, consent:CATEGORY, tags, lists or ignore"


def check(mapping: ColumnMap, header: Sequence[str]) -> None:
    """Raises BadHeader where the file cannot be imported so."""
    targets = [mapping.columns[name].to for name in header if name in mapping.columns]
    if not set(IDENTIFYING) & set(targets):
        raise BadHeader("the header must name external_id, email or phone: no column says who a row is about")
    if mapping.key and mapping.key not in targets:
        raise BadHeader(f"no column holds the key, {mapping.key}")
    for target in targets:
        if target not in {TAGS, LISTS, IGNORE} and targets.count(target) > 1:
            raise BadHeader(f"two columns go to {target}")


def by_name(header: Iterable[str]) -> ColumnMap:
    """The file that is written for us: fields, tags and lists by their own names, every other column an attribute. What
    an export says beyond that is not taken for more attributes."""
    names = list(header)
    exported = set(names) >= _OURS

    def column(name: str) -> Column:
        if name in FIELDS or name in {CREATED_AT, TAGS, LISTS}:
            return Column(name)
        if exported and name in _SHOWN_ONLY:
            return Column(IGNORE)
        return Column(_CONSENT_COLUMNS.get(name) or ATTRIBUTE + (name.removeprefix(_EXPORTED) if exported else name))

    return ColumnMap({name: column(name) for name in names})


def guess(header: Sequence[str], sample: Sequence[Sequence[str]]) -> ColumnMap:
    """The file as somebody else wrote it (one of ours is known): by what columns are called and by what stands in the
    first rows."""
    if set(header) >= _OURS:
        return by_name(header)
    taken: set[str] = set()
    columns: dict[str, Column] = {}
    for position, name in enumerate(header):
        cells = [row[position].strip() for row in sample[:_TELLING] if row[position].strip()]
        column = _guess(name, cells)
        if column.to in taken and column.to not in {TAGS, LISTS}:
            column = Column(ATTRIBUTE + name, _type(cells))
        taken.add(column.to)
        columns[name] = column
    if not taken & set(IDENTIFYING):  # a column of addresses says who people are, whatever it is called
        for position, name in enumerate(header):
            cells = [row[position].strip() for row in sample[:_TELLING] if row[position].strip()]
            if cells and all("@" in cell for cell in cells):
                columns[name] = Column("email")
                break
    return ColumnMap(columns)


def _guess(name: str, cells: Sequence[str]) -> Column:
    target = _MEANS.get(re.sub(r"[^a-z0-9]", "", name.lower()), "")
    if target.startswith(CONSENT) and not all(values.agreed(cell) for cell in cells):
        target = ""
    if target == CREATED_AT and values.day(cells[0] if cells else "") is None:
        target = ""
    if target == "owner_email" and not all("@" in cell for cell in cells):
        target = ""
    return Column(target) if target else Column(ATTRIBUTE + name, _type(cells))


def _type(cells: Sequence[str]) -> str:
    """`auto` reads numbers, true and false as they are written; a type is guessed where that would not."""
    if cells and all(values.boolean(cell) is not None and not cell.isdigit() for cell in cells):
        return "boolean"
    if cells and all(values.day(cell) is not None for cell in cells):
        return "date"
    if any(values.number(cell) is None for cell in cells) and any(values.number(cell) is not None for cell in cells):
        return "text"  # 007 beside 12: numbers of houses and the like, which are never added up
    return "auto"
