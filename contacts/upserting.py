"""Create or complete contacts, whoever says so: a thousand at a time, in a constant number of statements, and the same
again changes nothing."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection

from contacts import changes, consent, halving, identity, zones
from contacts.audiences import lists, tags
from contacts.audiences.lists import Place
from contacts.audiences.tags import Tagging
from contacts.changes import Change
from contacts.consent import ALL_TOPICS, DENIED, GRANTED, Consent
from contacts.faults import Fault
from contacts.identifiers import LONGEST, Identifiers, canonical, fault
from contacts.merged import lock_living

FIELDS = ("external_id", "email", "phone", "timezone", "locale", "region", "owner_email")
CAP = "frequency_cap"
_NAMING = frozenset({"external_id", "email", "phone"})
_NAMED_LIKE = {"external_id": "external_id", "email": "email", "owner_email": "email", "phone": "phone"}

Topic = tuple[str, str]  # category, topic


class NameTaken(ValueError):
    """Names that were given to one contact mean another one; `faults` says which."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("names of somebody else")
        self.faults = list(faults)


@dataclass(frozen=True)
class Person:
    """What is said about somebody. What is not said stays as it is.

    `fields`: texts of FIELDS without surrounding space (of those that are no identifier, an empty one clears), and
    CAP, whose null means that they have none of their own. `attributes`: a null removes one. `consents`: granted or
    denied of (category, topic), the topic empty but for single topics of marketing. `tags` are added, and so
    are they to `lists` (slugs; what no list is called is passed over). `key`: the kind
    of identifier that decides first who is meant, where it is not the usual one."""

    fields: Mapping[str, Any]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    consents: Mapping[Topic, str] = field(default_factory=dict)
    tags: Sequence[str] = ()
    lists: Sequence[str] = ()
    anonymous_id: str = ""
    created_at: datetime | None = None
    key: str = ""

    @property
    def identifiers(self) -> Identifiers:
        names = {name: self.fields.get(name, "") for name in ("external_id", "email", "phone")}
        return Identifiers(**names, anonymous_id=self.anonymous_id, key=self.key)


@dataclass
class Upserted:
    """`contact_ids[i]`: who the i-th person is; None where PostgreSQL cannot store what is said of them. `created` and
    `updated` share nobody."""

    contact_ids: list[int | None]
    created: set[int] = field(default_factory=set)
    updated: set[int] = field(default_factory=set)


@dataclass
class _Profile:
    """A contact as it is, and as it will be."""

    fields: dict[str, Any]
    attributes: dict[str, Any]
    created_at: datetime
    changes: list[Change] = field(default_factory=list)
    older: bool = False  # created_at moved back


@dataclass(frozen=True)
class _Call:
    """What holds for everybody in one call."""

    source: str
    now: datetime
    lane: str
    renames: bool = False
    fills_only: bool = False
    evidence: Mapping[str, Any] | None = None


def field_fault(name: str, value: str) -> Fault | None:
    """Why this text, which is not empty, cannot be this one of FIELDS; or None."""
    found = fault(_NAMED_LIKE.get(name, ""), value)  # of the others: how long, and whether it can be shown
    if found:
        return Fault(found.code, found.msg, (name,))
    if name == "timezone" and value not in zones.known():
        return Fault("timezone", "is not an IANA name such as Europe/Berlin", (name,))
    allowed = {region.casefold() for region in settings.RESIDENCY_ALLOWED} if name == "region" else ()
    if allowed and value.casefold() not in allowed:
        return Fault("residency", "residency: people of this region may not be stored here", (name,))
    return None


def name_fault(name: str) -> Fault | None:
    """Why people cannot call an attribute, a tag or a topic so; or None."""
    if not name.strip() or len(name) > LONGEST or not name.isprintable():
        return Fault("name", f"must have 1 to {LONGEST} characters that can be shown")
    return None


def upsert(
    people: Sequence[Person],
    *,
    source: str,
    now: datetime,
    lane: str = "urgent",
    fills_only: bool = False,
    evidence: Mapping[str, Any] | None = None,
) -> Upserted:
    """Create or complete these contacts in the caller's transaction, in the order in which they come.

    With `fills_only`, what is there already stays: only empty fields, missing attributes and consents of which nothing
    was ever said are taken (and tags, which are added as always). `evidence` is what proves the consents.

    Everybody must have a valid identifier. A person whom PostgreSQL refuses is refused alone. Sends
    `contacts_changed` inside the transaction; `lane` is that of the events that new tags record."""
    result = Upserted([None] * len(people))
    call = _Call(source, now, lane, fills_only=fills_only, evidence=evidence)

    def write(pieces: Sequence[tuple[int, Person]]) -> None:
        batch = [person for _, person in pieces]
        who = identity.resolve([person.identifiers for person in batch], source=source, now=now, lane=lane)
        contacts = [contact for contact in who.contact_ids if contact is not None]
        assert len(contacts) == len(batch)  # who has no valid identifier does not come this far
        contacts, changed = _apply_all(contacts, batch, who.created, call)
        for (position, _), contact in zip(pieces, contacts, strict=True):
            result.contact_ids[position] = contact
        result.created |= who.created
        result.updated |= changed | who.completed

    halving.store(list(enumerate(people)), write, lambda _: None)
    result.updated -= result.created
    return result


def foresee(people: Sequence[Person], *, fills_only: bool, now: datetime) -> Upserted:
    """What `upsert` would do, without writing: those who would be created have negative numbers. New tags are not
    looked for. Everybody must have a valid identifier."""
    contacts, completed = identity.foresee([person.identifiers for person in people])
    profiles = _profiles([contact for contact in contacts if contact > 0])
    owners = _owners({canonical("email", p.fields["email"]) for p in people if p.fields.get("email")})
    call = _Call("", now, "", fills_only=fills_only)
    known = [(contact, person) for contact, person in zip(contacts, people, strict=True) if contact > 0]
    for contact, person in known:
        # an address that it would get is its own by then
        mine = {**owners, **dict.fromkeys([canonical("email", person.fields.get("email", ""))], contact)}
        _apply(person, contact, profiles[contact], mine if contact in completed else owners, call)
    words = last_words([contact for contact, _ in known], [person for _, person in known])
    said = last_states(words)
    changed = {contact for contact, profile in profiles.items() if profile.changes or profile.older}
    changed |= {
        about[0] for about, state in words.items() if about not in said or (not fills_only and said[about] != state)
    }
    return Upserted(list(contacts), {contact for contact in contacts if contact < 0}, changed | completed)


def change(contact_id: int, person: Person, *, source: str, now: datetime) -> int:
    """The same for one contact whom the caller knows, in the caller's transaction. New names are added to the old
    ones, and shown instead of them. Returns who was changed: another one where the contact was merged meanwhile.
    Raises NameTaken where a name means somebody else."""
    taken = identity.attach(contact_id, person.identifiers, source=source, now=now)
    if taken:
        raise NameTaken([Fault("taken", "belongs to another contact", (kind,)) for kind in taken])
    (living,), _ = _apply_all([contact_id], [person], frozenset(), _Call(source, now, lane="urgent", renames=True))
    return living


def say(
    contact_ids: Sequence[int], people: Sequence[Person], *, source: str, now: datetime, lane: str = "urgent"
) -> set[int]:
    """Say of contact_ids[i] what people[i] says, in the caller's transaction and in that order; the same contact may
    come several times, and whoever was merged meanwhile is the contact that they live on in. Names are not said here
    (external_id, email, phone): they decide who somebody is (`upsert`, `change`). Returns whom it changed.

    Sends `contacts_changed`; a constant number of statements."""
    assert not any(person.fields.keys() & _NAMING for person in people), "names are given by upsert and change"
    return set(_apply_all(contact_ids, people, frozenset(), _Call(source, now, lane))[1])


def _apply_all(
    contacts: Sequence[int], people: Sequence[Person], created: Collection[int], call: _Call
) -> tuple[list[int], set[int]]:
    """Say of contacts[i] what people[i] says; returns who they are, and whom that changed."""
    contacts = lock_living(contacts)
    profiles = _profiles(contacts)
    owners = _owners({canonical("email", p.fields["email"]) for p in people if p.fields.get("email")})
    for contact, person in zip(contacts, people, strict=True):
        _apply(person, contact, profiles[contact], owners, call)
    changed = {contact: profile for contact, profile in profiles.items() if profile.changes or profile.older}
    _write(changed, call.now)
    # what a new contact began with is no change, but conditions may be true of it now
    changes.append(
        [each for contact, profile in changed.items() if contact not in created for each in profile.changes],
        source=call.source,
        now=call.now,
        lane=call.lane,
    )
    older = [contact for contact, profile in profiles.items() if profile.older]
    changes.tell([*created, *older], {"attribute", "field"}, call.now, lane=call.lane)
    joined = lists.join(
        [
            Place(contact, slug, call.source)
            for contact, person in zip(contacts, people, strict=True)
            for slug in person.lists
        ],
        now=call.now,
        lane=call.lane,
    )
    tagged = tags.add_tags(
        [
            Tagging(contact, tag, call.source)
            for contact, person in zip(contacts, people, strict=True)
            for tag in person.tags
        ],
        now=call.now,
        lane=call.lane,
    )
    labelled = {tagging.contact_id for tagging in tagged} | {place.contact_id for place in joined}
    return contacts, changed.keys() | _agree(contacts, people, call) | labelled


def _profiles(contacts: Sequence[int]) -> dict[int, _Profile]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id, attributes::text, created_at, {CAP}::text, {', '.join(FIELDS)} FROM contacts "
            "WHERE id = ANY(%s)",
            [list(contacts)],
        )
        return {
            contact: _Profile(
                {**dict(zip(FIELDS, fields, strict=True)), CAP: json.loads(cap or "null")},
                json.loads(attributes),
                created_at,
            )
            for contact, attributes, created_at, cap, *fields in cursor.fetchall()
        }


def _owners(addresses: set[str]) -> dict[str, int]:
    """Canonical address -> the contact that it means."""
    if not addresses:
        return {}
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


def _apply(person: Person, contact: int, profile: _Profile, owners: Mapping[str, int], call: _Call) -> None:
    renames = call.renames
    for name, value in person.fields.items():
        if call.fills_only and profile.fields[name]:
            continue
        if name == "external_id" and profile.fields[name] and not renames:
            continue  # resolved by it, or it belongs to somebody else: then the conflict is recorded
        if name == "email" and owners.get(canonical("email", value)) != contact:
            continue
        if name == "email" and not renames and canonical("email", value) == canonical("email", profile.fields[name]):
            continue  # another spelling is no other address
        if profile.fields[name] != value:
            profile.changes.append(Change(contact, "field", name, profile.fields[name], value))
            profile.fields[name] = value
    for name, value in person.attributes.items():
        old = profile.attributes.get(name)
        if same(old, value) or (call.fills_only and old is not None):
            continue
        profile.changes.append(Change(contact, "attribute", name, old, value))
        if value is None:
            del profile.attributes[name]
        else:
            profile.attributes[name] = value
    if person.created_at and person.created_at < profile.created_at:
        profile.created_at, profile.older = person.created_at, True


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are the same to PostgreSQL: 1 and 1.0 are, 1 and true are not. Pure."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[name]) for name, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def _write(profiles: Mapping[int, _Profile], now: datetime) -> None:
    """One statement. The rows are locked already."""
    if not profiles:
        return
    columns = ", ".join(f"{name} = new.{name}" for name in FIELDS)
    caps = [profile.fields[CAP] for profile in profiles.values()]
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            UPDATE contacts c SET attributes = new.attributes::jsonb, created_at = new.created_at, updated_at = %s,
                   {CAP} = new.{CAP}::jsonb, {columns}
              FROM unnest(%s::bigint[], %s::text[], %s::timestamptz[], %s::text[],
                          {", ".join(["%s::text[]"] * len(FIELDS))})
                   AS new(id, attributes, created_at, {CAP}, {", ".join(FIELDS)})
             WHERE c.id = new.id
            """,
            [
                now,
                list(profiles),
                [json.dumps(profile.attributes, ensure_ascii=False) for profile in profiles.values()],
                [profile.created_at for profile in profiles.values()],
                [None if cap is None else json.dumps(cap) for cap in caps],
                *[[profile.fields[name] for profile in profiles.values()] for name in FIELDS],
            ],
        )


def _agree(contacts: Sequence[int], people: Sequence[Person], call: _Call) -> set[int]:
    """Record the consents; returns whose changed. All of marketing goes before its topics: what is said of a topic
    holds beside it, whatever stood there before."""
    words = last_words(contacts, people)
    if call.fills_only:
        kept = last_states(words)
        words = {about: state for about, state in words.items() if about not in kept}
    changed: set[int] = set()
    for whole in (True, False):
        said = [
            Consent(contact, category, state, topic=topic, evidence=call.evidence)
            for (contact, category, topic), state in words.items()
            if (topic == ALL_TOPICS) is whole
        ]
        changed |= consent.record(said, source=call.source, now=call.now, only_changes=True, lane=call.lane)
    return changed


def last_states(abouts: Collection[tuple[int, str, str]]) -> dict[tuple[int, str, str], str]:
    """The last word on these (contact, category, topic), of those on which there is any."""
    if not abouts:
        return {}
    wanted = sorted(abouts)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT wanted.contact_id, wanted.category, wanted.topic, word.state
              FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS wanted(contact_id, category, topic)
             CROSS JOIN LATERAL (
                   SELECT state FROM consent_records r
                    WHERE r.contact_id = wanted.contact_id AND r.category = wanted.category AND r.topic = wanted.topic
                    ORDER BY r.id DESC LIMIT 1) word
            """,
            [[contact for contact, _, _ in wanted], [each for _, each, _ in wanted], [topic for _, _, topic in wanted]],
        )
        return {(contact, category, topic): state for contact, category, topic, state in cursor.fetchall()}


def last_words(contacts: Sequence[int], people: Sequence[Person]) -> dict[tuple[int, str, str], str]:
    """(contact, category, topic) -> granted or denied. Of several people who are the same contact the last one holds;
    who denies everything takes back what an earlier one granted of a single topic. Pure."""
    words: dict[int, dict[Topic, str]] = {}
    for contact, person in zip(contacts, people, strict=True):
        if not person.consents:
            continue
        mine = words.setdefault(contact, {})
        for (category, topic), state in person.consents.items():
            if state == DENIED and topic == ALL_TOPICS:
                for earlier in [key for key, word in mine.items() if key[0] == category and word == GRANTED]:
                    del mine[earlier]
        mine.update(person.consents)
    return {(contact, *about): state for contact, mine in words.items() for about, state in mine.items()}
