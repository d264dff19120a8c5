"""Editing what is known of a contact: fields, and attributes with typed values. Only what was changed on the page is
said, so that somebody else's change to another field stays."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse

from contacts import transactions, upserting
from contacts.collect import strict_json
from contacts.collect.people import parse_person
from contacts.collect.strict_json import NotJson, TooManyValues
from contacts.conditions.instants import parse_instant
from contacts.faults import Fault
from contacts.models import Contact
from contacts.pages.contact_deeds import SOURCE, page_of
from contacts.upserting import FIELDS, NameTaken

TYPES = {"text": "text", "number": "number", "boolean": "true or false", "date": "date", "json": "JSON"}
LABELS = {
    "email": "Email",
    "external_id": "External id",
    "phone": "Phone",
    "timezone": "Time zone",
    "locale": "Locale",
    "region": "Region",
    "owner_email": "Owner (email)",
}
HELP = {
    "external_id": "What your other systems call them. The old one still means them.",
    "email": "The old address still means them.",
    "timezone": "An IANA name, e.g. Europe/Berlin",
}
KEPT = ("email", "external_id")  # cannot be taken away, only replaced
FRESH = 3  # empty rows for new attributes
MOST = 300  # rows of attributes that are read


@dataclass
class FieldRow:
    """`was`: the value that the page was made of."""

    name: str
    label: str
    value: str
    help: str
    was: str
    error: str = ""


@dataclass
class AttributeRow:
    """`was` is the JSON that the page was made of; empty for a new attribute."""

    name: str
    type: str
    value: str
    was: str = ""
    remove: bool = False
    error: str = ""


class NotOfType(ValueError):
    """The text is no value of the chosen type; the message says what is."""


def edit(request: HttpRequest, contact: Contact, common: Mapping[str, Any]) -> HttpResponse:
    """GET the form; POST it. Errors stand at their fields."""
    fields, attributes = _rows_of(contact)
    errors: list[str] = []
    if request.method == "POST":
        fields, attributes = _posted(request, fields)
        faults = _save(contact, fields, attributes)
        if not faults:
            messages.success(request, "Saved.")
            return HttpResponseRedirect(page_of(contact.pk))
        errors = _place(faults, fields, attributes)
    context = {
        **common,
        "contact": contact,
        "fields": fields,
        "attributes": attributes,
        "types": TYPES.items(),
        "errors": errors,
        "back": page_of(contact.pk),
    }
    return TemplateResponse(request, "admin/contacts/contact_edit.html", context)


def _rows_of(contact: Contact) -> tuple[list[FieldRow], list[AttributeRow]]:
    fields = [
        FieldRow(name, label, getattr(contact, name), HELP.get(name, ""), getattr(contact, name))
        for name, label in LABELS.items()
        if name in FIELDS
    ]
    known = contact.attributes if isinstance(contact.attributes, dict) else {}
    rows = [
        AttributeRow(name, type_of(value), _shown(value), json.dumps(value, ensure_ascii=False))
        for name, value in sorted(known.items())
    ]
    return fields, [*rows, *(AttributeRow("", "text", "") for _ in range(FRESH))]


def _posted(request: HttpRequest, fields: Sequence[FieldRow]) -> tuple[list[FieldRow], list[AttributeRow]]:
    said = request.POST
    posted = [
        FieldRow(
            row.name, row.label, said.get(row.name, row.value).strip(), row.help, said.get(f"was_{row.name}", row.was)
        )
        for row in fields
    ]
    count = min(len(said.getlist("attribute_name")), MOST)
    columns = [said.getlist(f"attribute_{part}")[:count] for part in ("name", "type", "value", "was")]
    removed = set(said.getlist("attribute_remove"))
    rows = [
        AttributeRow(name.strip(), type if type in TYPES else "text", _lines(value), was, str(position) in removed)
        for position, (name, type, value, was) in enumerate(zip(*columns, strict=False))
    ]
    return posted, rows


def _save(contact: Contact, fields: Sequence[FieldRow], attributes: Sequence[AttributeRow]) -> list[Fault]:
    """Say what was changed; what is wrong with it, if anything is."""
    faults = [
        Fault("kept", "cannot be taken away", (row.name,))
        for row in fields
        if row.name in KEPT and not row.value and getattr(contact, row.name)
    ]
    said: dict[str, Any] = {row.name: row.value for row in fields if row.value != row.was}
    changed: dict[str, Any] = {}
    for row in attributes:
        if not row.name and not row.value:
            continue
        if not row.name:
            row.error = "An attribute needs a name."
        elif row.remove:
            changed[row.name] = None
        elif not _is_as_before(row):
            try:
                changed[row.name] = value_of(row.type, row.value)
            except NotOfType as error:
                row.error = str(error)
    if any(row.error for row in attributes):
        faults.append(Fault("type", "Some attributes cannot be stored so.", ()))
    person = parse_person({**said, "attributes": changed}, named=False)
    if isinstance(person, list):
        return [*faults, *person]
    if faults:
        return faults
    try:
        transactions.run(lambda now: upserting.change(contact.pk, person, source=SOURCE, now=now))
    except NameTaken as error:
        return error.faults
    return []


def _lines(text: str) -> str:
    """A browser sends every end of a line as two characters."""
    return text.replace("\r\n", "\n")


def _is_as_before(row: AttributeRow) -> bool:
    try:
        before = json.loads(row.was)
    except (ValueError, RecursionError):  # a new row has nothing there
        return False
    return row.value == _lines(_shown(before)) and row.type == type_of(before)


def _place(faults: Sequence[Fault], fields: Sequence[FieldRow], attributes: Sequence[AttributeRow]) -> list[str]:
    """Put every fault at its row; what is left belongs to the whole form."""
    left = []
    for fault in faults:
        where, *inside = fault.loc or ("",)
        rows: Sequence[FieldRow | AttributeRow] = attributes if where == "attributes" else fields
        name = str(inside[0]) if where == "attributes" and inside else where
        row = next((row for row in rows if row.name == name), None)
        if row is None:
            left.append(fault.msg)
        else:
            row.error = f"{row.error} {fault.msg}".strip()
    return left


def type_of(value: Any) -> str:
    """The type under which a stored value is edited."""
    match value:
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "date" if len(value) == len("2026-03-04") and _is_date(value) else "text"
    return "json"


def value_of(type: str, text: str) -> Any:
    """The value that a text means under a type. Raises NotOfType."""
    match type:
        case "number":
            number = _read(text.strip(), "This is not a number.")
            if isinstance(number, bool) or not isinstance(number, int | float):
                raise NotOfType("This is not a number.")
            return number
        case "boolean":
            if text.strip().lower() not in ("true", "false"):
                raise NotOfType("Write true or false.")
            return text.strip().lower() == "true"
        case "date":
            if not _is_date(text.strip()):
                raise NotOfType("Write a date such as 2026-03-04, or an instant such as 2026-03-04T09:30Z.")
            return text.strip()
        case "json":
            return _read(text, "This is not JSON.")
    return text


def _read(text: str, wrong: str) -> Any:
    """JSON, as strictly as the API reads it. Raises NotOfType."""
    try:
        value = strict_json.read(text.encode("utf-8", "surrogatepass"))
    except (NotJson, TooManyValues) as error:
        raise NotOfType(wrong) from error
    if flaw := strict_json.fault_in(value, strict_json.EVENT):
        raise NotOfType(f"This {flaw.msg}.")
    return value


def _is_date(text: str) -> bool:
    try:
        parse_instant(text)
    except ValueError:
        return False
    return True


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
