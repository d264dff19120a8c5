"""Many rows into the database at once. People of whom nobody has heard are copied in; everybody else goes the way of
every upsert (`contacts.upserting`), which also decides what is right here: both ways leave the same rows behind."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import DataError, IntegrityError, connection, transaction

from contacts import changes, consent, signals
from contacts.audiences import lists, tags
from contacts.audiences.lists import Place
from contacts.audiences.tags import Tagging
from contacts.consent import ALL_TOPICS, DENIED, Consent
from contacts.identity import NEW_IDS
from contacts.importing.csv_rows import BrokenLine
from contacts.importing.rows import CELL, Name, Row, named, profile_cells
from contacts.importing.shape import FILL, SKIP, Options
from contacts.upserting import FIELDS, Person, last_states, upsert

AT_ONCE = 1000  # people in one call of the usual way
WORTH_COPYING = 20  # fewer new people go the usual way

_CONTACTS = ("id", *FIELDS, "attributes", "created_at", "updated_at")
_ROW = "\ud800"  # stands between rows until they are escaped: never part of a text that PostgreSQL stores either
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
    """`names[i]` and `contacts[i]` (None: not yet, or refused) belong to `rows[i]`."""

    rows: Sequence[Row]
    names: list[Sequence[Name]]
    contacts: list[int | None]
    options: Options
    source: str
    now: datetime


def store(rows: Sequence[Row], *, options: Options, source: str, now: datetime) -> Stored:
    """Create or complete these people, in the caller's transaction, in the order of the rows; on the bulk lane.

    A row that PostgreSQL refuses is refused alone. Sends `contacts_changed` inside the transaction."""
    batch = _Batch(rows, [names_of(row) for row in rows], [None] * len(rows), options, source, now)
    known = known_names(batch.names)
    fresh, rest = _divide(batch.names, known)
    result = Stored()
    if options.existing == SKIP:
        new = [number for number in rest if not any(name in known for name in batch.names[number])]
        result.unchanged += len(rest) - len(new)
        rest = new
    if len(fresh) < WORTH_COPYING or not _copy(batch, fresh):
        fresh, rest = [], sorted([*fresh, *rest])
    result.created += len(fresh)
    for start in range(0, len(rest), AT_ONCE):
        _usual_way(batch, rest[start : start + AT_ONCE], result)
    _for_everybody(batch)
    return result


def names_of(row: Row) -> Sequence[Name]:
    """How the row names its person, in the form in which names are compared."""
    return row.names or named(row.person)


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


def _divide(names: Sequence[Sequence[Name]], known: set[Name]) -> tuple[list[int], list[int]]:
    """The positions of people of whom neither the database nor another row of the batch knows any name, and of the
    others: what becomes of those depends on nobody else, so their order does not matter."""
    first: dict[Name, int] = {}
    shared: set[int] = set()
    for number, each in enumerate(names):
        for name in each:
            earlier = first.setdefault(name, number)
            if earlier != number:
                shared |= {earlier, number}
    fresh, rest = [], []
    for number, each in enumerate(names):
        if number in shared or (known and any(name in known for name in each)):
            rest.append(number)
        else:
            fresh.append(number)
    return fresh, rest


def _copy(batch: _Batch, fresh: Sequence[int]) -> bool:
    """False, and nothing is done, where somebody else has just created one of them, or one cannot be stored."""
    rows, now = batch.rows, batch.now
    try:
        with transaction.atomic():
            ids = _new_ids(len(fresh))
            mine = list(zip(fresh, ids, strict=True))
            _copy_identities([(name, contact) for number, contact in mine for name in batch.names[number]], now)
            new = [(contact, rows[number].person) for number, contact in mine]
            _copy_contacts([(contact, rows[number]) for number, contact in mine], now)
            _copy_consents(new, batch)
    except (IntegrityError, DataError):
        return False
    for number, contact in mine:
        batch.contacts[number] = contact
    given = [Tagging(contact, tag, batch.source) for contact, person in new for tag in person.tags]
    tags.add_tags(given, now=now, lane="bulk")
    places = [Place(contact, slug, batch.source) for contact, person in new for slug in person.lists]
    lists.join(places, now=now, lane="bulk")
    changes.tell(ids, {"created", "attribute", "field"}, now, lane="bulk")
    return True


def _new_ids(count: int) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT string_agg(new.id::text, ',') FROM ({NEW_IDS}) AS new",
            [count],
        )
        return [int(contact_id) for contact_id in cursor.fetchone()[0].split(",")]


def _copy_identities(named: list[tuple[Name, int]], now: datetime) -> None:
    """In the order in which everybody inserts identities, so that two who meet wait in one direction only."""
    named.sort()
    at = now.isoformat()
    _copy_into(
        "contact_identities (kind, value, contact_id, first_seen_at)",
        [(kind, value, str(contact), at) for (kind, value), contact in named],
    )


def _copy_contacts(new: Sequence[tuple[int, Row]], now: datetime) -> None:
    at = now.isoformat()
    lines = []
    for contact, row in new:
        begun = row.person.created_at
        cells = row.cells or profile_cells(row.person)
        lines.append((str(contact), cells, begun.isoformat() if begun and begun < now else at, at))
    _copy_into(f"contacts ({', '.join(_CONTACTS)})", lines)


def _copy_consents(new: Sequence[tuple[int, Person]], batch: _Batch) -> None:
    at, source = batch.now.isoformat(), batch.source
    evidence = [] if batch.options.evidence is None else [_encode(dict(batch.options.evidence))]
    lines, denials = [], []
    for contact, person in new:
        consents = person.consents
        # all of marketing goes before its topics: the later word holds
        for category, topic in sorted(consents, key=lambda about: about[1]) if len(consents) > 1 else consents:
            state = consents[category, topic]
            lines.append((str(contact), category, topic, state, at, source, *evidence))
            if state == DENIED:
                denials.append(Consent(contact, category, state, topic))
    if not lines:
        return
    columns = "contact_id, category, topic, state, recorded_at, source" + (", evidence" if evidence else "")
    _copy_into(f"consent_records ({columns})", lines)
    if denials:
        signals.consent_withdrawn.send(sender=Consent, withdrawn=tuple(denials), now=batch.now)


def _copy_into(target: str, lines: Sequence[Sequence[str]]) -> None:
    text = copy_text(lines)
    with connection.cursor() as cursor, connection.wrap_database_errors, cursor.copy(f"COPY {target} FROM STDIN") as c:
        c.write(text)


def copy_text(lines: Sequence[Sequence[str]]) -> bytes:
    """Rows in PostgreSQL's text format. Escaped all at once: a call for each cell would cost more than the rest."""
    text = _ROW.join([CELL.join(cells) for cells in lines]) + _ROW
    text = text.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    return text.replace(CELL, "\t").replace(_ROW, "\n").encode()


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
