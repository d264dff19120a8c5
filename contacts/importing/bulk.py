"""Many rows into the database at once. People of whom nobody has heard are copied in; everybody else goes the way of
every upsert (`contacts.upserting`), which also decides what is right here: both ways leave the same rows behind."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import repeat

from django.db import DataError, IntegrityError, connection, transaction

from contacts import changes, consent, signals
from contacts.audiences import lists, tags
from contacts.audiences.lists import Place
from contacts.audiences.tags import Tagging
from contacts.consent import ALL_TOPICS, DENIED, Consent
from contacts.identity import NEW_IDS
from contacts.importing.copying import CONSENTS, CONTACTS, IDENTITIES, Copies, divide, end, names_of, prepare, send
from contacts.importing.csv_rows import BrokenLine
from contacts.importing.rows import Name, Row
from contacts.importing.shape import FILL, SKIP, Options
from contacts.upserting import last_states, upsert

AT_ONCE = 1000  # people in one call of the usual way
WORTH_COPYING = 20  # fewer new people go the usual way
ASKED_FOR = 150  # rows of a batch of which it is asked whether anybody knows them, before they are copied

_encode = json.JSONEncoder(ensure_ascii=False).encode


@dataclass
class Stored:
    """How many contacts were created, changed and left as they were; how many rows spoke of somebody of whom an earlier
    row of the same batch had spoken (the last one holds); and the rows that were refused."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    repeated: int = 0
    refused: list[BrokenLine] = field(default_factory=list)

    def add(self, other: Stored) -> None:
        self.created += other.created
        self.updated += other.updated
        self.unchanged += other.unchanged
        self.repeated += other.repeated
        self.refused += other.refused


@dataclass(frozen=True)
class _Batch:
    """`contacts[i]` (None: not yet, or refused) belongs to `rows[i]`."""

    rows: Sequence[Row]
    contacts: list[int | None]
    options: Options
    source: str
    now: datetime


def store(rows: Sequence[Row], *, options: Options, source: str, now: datetime, copies: Copies | None = None) -> Stored:
    """Create or complete these people, in the caller's transaction, in the order of the rows; on the bulk lane.

    `copies`: what `copying.prepare` made of the rows, where most of them are expected to be new. A row that PostgreSQL
    refuses is refused alone. Sends `contacts_changed` inside the transaction."""
    batch = _Batch(rows, [None] * len(rows), options, source, now)
    result = Stored()
    if copies and _look_new(copies) and _copy(batch, copies):
        fresh, rest = copies.numbers, copies.others
        names = copies.names
        known = known_names([names[number] for number in rest]) if options.existing == SKIP else set()
    else:
        names = copies.names if copies else [names_of(row) for row in rows]
        known = known_names(names)
        fresh, rest = divide(names, known)
        tried = copies is not None and fresh == copies.numbers  # what stood in the way is none of the names
        again = None if tried else prepare(rows, names=names, divided=(fresh, rest))
        if again is None or not _copy(batch, again):
            fresh, rest = [], range(len(rows))
    result.created += len(fresh)
    if options.existing == SKIP:
        new = [number for number in rest if not any(name in known for name in names[number])]
        result.unchanged += len(rest) - len(new)
        rest = new
    for start in range(0, len(rest), AT_ONCE):
        _usual_way(batch, rest[start : start + AT_ONCE], result)
    _for_everybody(batch)
    return result


def _look_new(copies: Copies) -> bool:
    """Whether it is worth trying without asking who is known: some of the names are asked for, spread over the batch.
    The unique key has the last word."""
    numbers = copies.numbers
    step = max(1, len(numbers) // ASKED_FOR)
    return len(numbers) >= WORTH_COPYING and not known_names([copies.names[number] for number in numbers[::step]])


def known_names(names: Iterable[Sequence[Name]]) -> set[Name]:
    """Those of these names that anybody has."""
    wanted = sorted({name for each in names for name in each})
    if not wanted:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT wanted.kind, wanted.value
              FROM unnest(string_to_array(%s, %s), string_to_array(%s, %s)) AS wanted(kind, value)
             CROSS JOIN LATERAL (SELECT 1 FROM contact_identities i
                                  WHERE i.kind = wanted.kind AND i.value = wanted.value LIMIT 1) found
            """,
            # one text and not an array: no name has a control character, and the driver would dump each element
            ["\n".join([kind for kind, _ in wanted]), "\n", "\n".join([value for _, value in wanted]), "\n"],
        )
        return set(cursor.fetchall())


def _copy(batch: _Batch, copies: Copies) -> bool:
    """False, and nothing is done, where they are too few, somebody knows one of them, or one cannot be stored."""
    now, source, numbers = batch.now, batch.source, copies.numbers
    if len(numbers) < WORTH_COPYING:
        return False
    evidence = [] if batch.options.evidence is None else [_encode(dict(batch.options.evidence))]
    at = now.isoformat()
    ends: Iterable[str] = repeat(end(at, at))
    if any(copies.begun):  # whom the file says to have come in the future comes now
        ends = [end(begun.isoformat() if begun and begun < now else at, at) for begun in copies.begun]
    try:
        with transaction.atomic():
            ids = _new_ids(len(numbers))
            texts = [str(contact) for contact in ids]
            columns = f"({CONSENTS}{', evidence' if evidence else ''})"
            send(f"contact_identities ({IDENTITIES})", copies.identities.completed(texts, repeat(end(at))))
            send(f"contacts ({CONTACTS})", copies.contacts.completed(texts, ends))
            send(f"consent_records {columns}", copies.consents.completed(texts, repeat(end(at, source, *evidence))))
    except (IntegrityError, DataError):
        return False
    for number, contact in zip(numbers, ids, strict=True):
        batch.contacts[number] = contact
    if copies.denials:
        withdrawn = [Consent(ids[each.owner], each.category, DENIED, each.topic) for each in copies.denials]
        signals.consent_withdrawn.send(sender=Consent, withdrawn=tuple(withdrawn), now=now)
    people = [batch.rows[number].person for number in numbers]
    given = [Tagging(ids[owner], tag, source) for owner, person in enumerate(people) for tag in person.tags]
    tags.add_tags(given, now=now, lane="bulk")
    places = [Place(ids[owner], slug, source) for owner, person in enumerate(people) for slug in person.lists]
    lists.join(places, now=now, lane="bulk")
    changes.tell(ids, {"created", "new", "attribute", "field"}, now, lane="bulk")
    return True


def _new_ids(count: int) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT string_agg(new.id::text, ',') FROM ({NEW_IDS}) AS new",
            [count],
        )
        return [int(contact_id) for contact_id in cursor.fetchone()[0].split(",")]


def _usual_way(batch: _Batch, numbers: Sequence[int], result: Stored) -> None:
    options = batch.options
    done = upsert(
        [batch.rows[number].person for number in numbers],
        source=batch.source,
        now=batch.now,
        lane="bulk",
        fills_only=options.existing == FILL,
        evidence=options.evidence,
    )
    known = {contact for contact in done.contact_ids if contact is not None}
    result.created += len(done.created)
    result.updated += len(done.updated)
    result.unchanged += len(known - done.created - done.updated)
    result.repeated += sum(contact is not None for contact in done.contact_ids) - len(known)
    for number, contact in zip(numbers, done.contact_ids, strict=True):
        batch.contacts[number] = contact
        if contact is None:
            row = batch.rows[number]
            result.refused.append(BrokenLine(row.line, "the database cannot store this row", row.raw))


def _for_everybody(batch: _Batch) -> None:
    """What holds for every row."""
    options, source, now = batch.options, batch.source, batch.now
    here = [contact for contact in batch.contacts if contact is not None]
    if options.tags:
        tags.add_tags([Tagging(contact, tag, source) for contact in here for tag in options.tags], now=now, lane="bulk")
    lists.join([Place(contact, slug, source) for contact in here for slug in options.lists], now=now, lane="bulk")
    if options.consents:
        said = {(contact, *about) for contact in here for about in options.consents}
        unsaid = sorted(said - last_states(said).keys())
        consent.record(
            [
                Consent(contact, category, options.consents[category, topic], topic, options.evidence)
                for contact, category, topic in sorted(unsaid, key=lambda about: about[2] != ALL_TOPICS)
            ],
            source=source,
            now=now,
        )
