"""Contacts from a table: a thousand rows at a time, in a constant number of statements, and the same again changes
nothing.

Known columns become fields, `consent_marketing` and `consent_tracking` (true or false) become consent records, and
every other column becomes an attribute. An empty cell says nothing: it never deletes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection

from contacts import changes, consent, halving, identity, zones
from contacts.changes import Change
from contacts.collect.parsing import parse_instant
from contacts.consent import Consent
from contacts.csv_rows import BadHeader, BrokenLine, Record
from contacts.faults import Fault
from contacts.identifiers import Identifiers, canonical, fault

BATCH = 1000
IDENTIFYING = ("external_id", "email")
FIELDS = ("external_id", "email", "phone", "timezone", "locale", "region", "owner_email")
CONSENTS = {"consent_marketing": "marketing", "consent_tracking": "tracking"}
STATES = {"true": consent.GRANTED, "false": consent.DENIED}

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,14})", re.ASCII)  # 007 is a text; longer ones are not exact in JSON
_REAL = re.compile(r"-?(?:0|[1-9][0-9]{0,14})\.[0-9]{1,15}", re.ASCII)
_BOOLEANS = {"true": True, "false": False}


@dataclass(frozen=True)
class Person:
    """A row that was understood."""

    line: int
    fields: Mapping[str, str]
    attributes: Mapping[str, Any]
    consents: Mapping[str, str]
    created_at: datetime | None

    @property
    def identifiers(self) -> Identifiers:
        return Identifiers(self.fields.get("external_id", ""), self.fields.get("email", ""))


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


def understand(record: Record) -> Person | BrokenLine:
    """What a row says, or why it cannot be imported: the first reason, without the value."""
    values = {name: value.strip() for name, value in record.values.items()}
    if reason := _reason(values):
        return BrokenLine(record.line, reason)
    created_at = parse_instant(values["created_at"]) if "created_at" in values else None
    if isinstance(created_at, Fault):
        return BrokenLine(record.line, f"created_at: {created_at.msg}")
    return Person(
        line=record.line,
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
        consents={category: STATES[values[name].lower()] for name, category in CONSENTS.items() if name in values},
        created_at=created_at,
    )


def _reason(values: Mapping[str, str]) -> str:
    if not any(name in values for name in IDENTIFYING):
        return "names nobody: external_id and email are empty"
    for name, kind in (
        ("external_id", "external_id"),
        ("email", "email"),
        ("owner_email", "email"),
        ("phone", "phone"),
    ):
        if name in values and (found := fault(kind, values[name])):
            return f"{name}: {found.msg}"
    if "timezone" in values and values["timezone"] not in zones.known():
        return "timezone: is not an IANA name such as Europe/Berlin"
    if settings.RESIDENCY_ALLOWED and values.get("region") and values["region"] not in settings.RESIDENCY_ALLOWED:
        return "region: residency: people of this region may not be stored here"
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


def import_people(people: Sequence[Person], *, source: str, now: datetime) -> Imported:
    """Create or complete these contacts, in the caller's transaction. At most BATCH of them.

    A row that PostgreSQL refuses is refused alone. Sends `contacts_changed` inside the transaction."""
    result = Imported()

    def refuse(person: Person) -> None:
        result.refused.append(BrokenLine(person.line, "the database cannot store this row"))

    halving.store(people, lambda batch: result.add(_upsert(batch, source, now)), refuse)
    return result


@dataclass
class _Profile:
    """A contact as it is, and as it will be."""

    fields: dict[str, str]
    attributes: dict[str, Any]
    created_at: datetime
    changes: list[Change] = field(default_factory=list)
    older: bool = False  # created_at moved back


def _upsert(people: Sequence[Person], source: str, now: datetime) -> Imported:
    who = identity.resolve([person.identifiers for person in people], source=source, now=now)
    contacts = [contact for contact in who.contact_ids if contact is not None]
    assert len(contacts) == len(people)  # `understand` lets nobody through whom `resolve` would refuse
    profiles = _lock(sorted(set(contacts)))
    addresses = _owners({canonical("email", p.fields["email"]) for p in people if "email" in p.fields})
    for contact, person in zip(contacts, people, strict=True):
        _apply(person, contact, profiles[contact], addresses)
    changed = {contact: profile for contact, profile in profiles.items() if profile.changes or profile.older}
    _write(changed, now)
    created = who.created & profiles.keys()
    # what a new contact began with is no change, but conditions may be true of it now
    changes.append(
        [change for contact, profile in changed.items() if contact not in created for change in profile.changes],
        source=source,
        now=now,
    )
    changes.tell(sorted(created), {"attribute", "field"}, now)
    agreed = consent.record(
        [Consent(contact, category, state) for (contact, category), state in _last_word(contacts, people).items()],
        source=source,
        now=now,
        only_changes=True,
    )
    updated = (changed.keys() | agreed) - created
    return Imported(len(created), len(updated), len(profiles) - len(created) - len(updated))


def _last_word(contacts: Sequence[int], people: Sequence[Person]) -> dict[tuple[int, str], str]:
    """Rows about the same contact: the last one holds."""
    return {
        (contact, category): state
        for contact, person in zip(contacts, people, strict=True)
        for category, state in person.consents.items()
    }


def _lock(contacts: Sequence[int]) -> dict[int, _Profile]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM contacts WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE", [list(contacts)])
        cursor.execute(
            f"SELECT id, attributes::text, created_at, {', '.join(FIELDS)} FROM contacts WHERE id = ANY(%s)",
            [list(contacts)],
        )
        return {
            contact: _Profile(dict(zip(FIELDS, fields, strict=True)), json.loads(attributes), created_at)
            for contact, attributes, created_at, *fields in cursor.fetchall()
        }


def _owners(addresses: set[str]) -> dict[str, int]:
    """Canonical address -> the contact that it means."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT i.value, i.contact_id FROM unnest(%s::text[]) AS wanted(value)
             CROSS JOIN LATERAL (
                   SELECT value, contact_id FROM contact_identities
                    WHERE kind = 'email' AND contact_identities.value = wanted.value LIMIT 1) i
            """,
            [sorted(addresses)],
        )
        return dict(cursor.fetchall())


def _apply(person: Person, contact: int, profile: _Profile, owners: Mapping[str, int]) -> None:
    for name, value in person.fields.items():
        if name == "external_id" and profile.fields[name]:
            continue  # resolved by it, or it belongs to somebody else: then the conflict is recorded
        if name == "email" and owners.get(canonical("email", value)) != contact:
            continue
        if profile.fields[name] != value:
            profile.changes.append(Change(contact, "field", name, profile.fields[name], value))
            profile.fields[name] = value
    for name, value in person.attributes.items():
        old = profile.attributes.get(name)
        if old != value or type(old) is not type(value):
            profile.changes.append(Change(contact, "attribute", name, old, value))
            profile.attributes[name] = value
    if person.created_at and person.created_at < profile.created_at:
        profile.created_at, profile.older = person.created_at, True


def _write(profiles: Mapping[int, _Profile], now: datetime) -> None:
    """One statement. The rows are locked already."""
    if not profiles:
        return
    columns = ", ".join(f"{name} = new.{name}" for name in FIELDS)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            UPDATE contacts c SET attributes = new.attributes::jsonb, created_at = new.created_at, updated_at = %s,
                   {columns}
              FROM unnest(%s::bigint[], %s::text[], %s::timestamptz[], {", ".join(["%s::text[]"] * len(FIELDS))})
                   AS new(id, attributes, created_at, {", ".join(FIELDS)})
             WHERE c.id = new.id
            """,
            [
                now,
                list(profiles),
                [json.dumps(profile.attributes, ensure_ascii=False) for profile in profiles.values()],
                [profile.created_at for profile in profiles.values()],
                *[[profile.fields[name] for profile in profiles.values()] for name in FIELDS],
            ],
        )
