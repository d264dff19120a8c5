"""Who is meant: identifiers become contacts, in a constant number of statements for any number of people.

The rules, in the order in which they are tried for one person:

1. the first known identifier decides (external id before e-mail before phone before anonymous id), unless the contact
   that it means already has another identifier of a kind that was given and stands higher: then it is somebody else;
2. if none decides, a new contact is created;
3. what was given and is not known yet is attached to that contact;
4. what is known and means another contact is a conflict: recorded once in `contact_changes`, never merged here (people
   decide on the page of conflicts, see `contacts.merging`).

A family may share a telephone. It means the first of them to whom it was attached; the others show it all the same. It
brings a new external id or address only to a contact that has neither: whoever has one may be somebody else in the
family, and then it is a conflict.

Two transactions may meet the same new person at once. The row in `contact_identities` decides: who inserts it first
creates the contact; the other one waits for it, reads again in its next statement, and settles anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain

from django.db import connection

from contacts import changes, json_rows
from contacts import known as knowledge
from contacts.changes import Change
from contacts.faults import Fault
from contacts.identifiers import Identifiers, canonical, canonical_email, fault
from contacts.known import SHOWN, Known
from contacts.locking import lock_contacts

__all__ = ["Identifiers", "Known", "Resolution", "canonical", "canonical_email", "resolve"]

Name = tuple[str, str]  # kind, canonical value
PERSONAL = ("external_id", "email")  # what nobody shares
ROUNDS = 8

# The sequence is looked up once, not for every id: OFFSET 0 keeps it apart.
NEW_IDS = """
    SELECT nextval(contact.ids) AS id
      FROM (SELECT pg_get_serial_sequence('contacts', 'id')::regclass AS ids OFFSET 0) AS contact,
           generate_series(1, %s)
"""

NOBODY = Fault("missing", "names nobody: give external_id, email, phone or anonymous_id")


@dataclass(frozen=True)
class Resolution:
    """`contact_ids[i]` is who the i-th person is (None: see `faults[i]`); `created` were unknown until now;
    `completed` were known, and got another identifier. `known` says of contacts what was read of them on the way; of
    those whom somebody else held meanwhile it says nothing, since that is to be read again."""

    contact_ids: list[int | None]
    faults: dict[int, list[Fault]]
    created: frozenset[int]
    completed: frozenset[int]
    known: Mapping[int, Known]


@dataclass
class Settlement:
    """Who everybody is, given what is known. New contacts have negative numbers until they are created."""

    contacts: list[int] = field(default_factory=list)
    attached: dict[Name, int] = field(default_factory=dict)
    conflicts: dict[tuple[int, Name], int] = field(default_factory=dict)  # (decided for, name) -> means


def settle(people: Sequence[Sequence[Name]], known: Mapping[Name, Known]) -> Settlement:
    """Apply the rules to people in their order, as if they had come one after the other. Pure."""
    result = Settlement()
    meaning = {name: found.contact_id for name, found in known.items()}
    has: dict[int, set[str]] = {}
    for found in known.values():
        has.setdefault(found.contact_id, set()).update(found.has)
    for number, names in enumerate(people):
        contact = _decide(names, meaning, has)
        if contact is None:
            contact = -number - 1
        kinds = has.setdefault(contact, set())
        for name in names:
            means = meaning.setdefault(name, contact)
            if means != contact:
                result.conflicts[contact, name] = means
            elif name not in known:
                result.attached[name] = contact
                kinds.add(name[0])
        result.contacts.append(contact)
    return result


def _decide(names: Sequence[Name], meaning: Mapping[Name, int], has: Mapping[int, set[str]]) -> int | None:
    higher: list[str] = []
    for name in names:
        contact = meaning.get(name)
        barring = PERSONAL if name[0] == "phone" and higher else higher
        if contact is not None and not any(kind in has[contact] for kind in barring):
            return contact
        higher.append(name[0])
    return None


def resolve(people: Sequence[Identifiers], *, source: str, now: datetime, lane: str = "urgent") -> Resolution:
    """Find or create everybody, in the caller's transaction. People without a valid identifier get a fault instead.

    At most fourteen statements; five more each time that another transaction was faster. Merged contacts are followed
    to the one that lives."""
    named, faults = _names(people)
    positions = [number for number in range(len(people)) if number not in faults]
    settled, ids, created, read = _claim([named[number] for number in positions], now)

    contact_ids: list[int | None] = [None] * len(people)
    for number, contact in zip(positions, settled.contacts, strict=True):
        contact_ids[number] = ids.get(contact, contact)
    shown = _shown(people, positions, named, settled, ids)
    _create_contacts(created, shown, now)
    known = {contact for contact in settled.attached.values() if contact > 0}
    completed = {contact: shown[contact] for contact in known if contact in shown}
    _complete_contacts(completed, now)
    changes.tell(list(completed), {"field"}, now, lane=lane)
    changes.tell(created, {"created"}, now, lane=lane)
    changes.append(
        [
            Change(contact, "identity", kind, None, value)
            for (kind, value), contact in settled.attached.items()
            if contact > 0
        ],
        source=source,
        now=now,
    )
    _record_conflicts({(ids.get(c, c), name): ids.get(m, m) for (c, name), m in settled.conflicts.items()}, source, now)
    read |= {contact: Known(contact) for contact in created}
    return Resolution(contact_ids, faults, frozenset(created), frozenset(known), read)


def foresee(people: Sequence[Identifiers]) -> tuple[list[int], set[int]]:
    """Who everybody would be if they were resolved now, without writing: their contacts, of which those that would be
    created have negative numbers; and the known ones that would get another name. All must have valid identifiers."""
    named, _ = _names(people)
    settled = settle([named[number] for number in range(len(people))], _look_up(sorted({*chain(*named.values())})))
    return settled.contacts, {contact for contact in settled.attached.values() if contact > 0}


def attach(contact_id: int, person: Identifiers, *, source: str, now: datetime) -> list[str]:
    """Let these valid names mean this contact too, in the caller's transaction. Locks the contact; returns the kinds of
    those that mean somebody else, who keeps them. A telephone of somebody else's is a conflict and no more: families
    share one."""
    lock_contacts([contact_id])
    names = [(kind, canonical(kind, value)) for kind, value in person.given()]
    new = _insert_identities(dict.fromkeys(names, contact_id), now)
    changes.append(
        [Change(contact_id, "identity", kind, None, value) for kind, value in sorted(new)], source=source, now=now
    )
    known = _look_up([name for name in names if name not in new])
    taken = [name for name in names if name not in new and (name not in known or known[name].contact_id != contact_id)]
    shared = [name for name in taken if name[0] == "phone" and name in known]
    _record_conflicts({(contact_id, name): known[name].contact_id for name in shared}, source, now)
    return [kind for kind, _ in taken if kind != "phone"]


def _names(people: Sequence[Identifiers]) -> tuple[dict[int, list[Name]], dict[int, list[Fault]]]:
    named: dict[int, list[Name]] = {}
    faults: dict[int, list[Fault]] = {}
    for number, person in enumerate(people):
        given = list(person.given())
        wrong = [found for kind, value in given if (found := fault(kind, value))]
        if wrong or not given:
            faults[number] = wrong or [NOBODY]
        else:
            named[number] = [(kind, canonical(kind, value)) for kind, value in given]
    return named, faults


def _claim(
    people: Sequence[Sequence[Name]], now: datetime
) -> tuple[Settlement, dict[int, int], list[int], dict[int, Known]]:
    """Settle, and insert the new identities; returns also the ids that new contacts got, those ids alone, and what is
    known of the others, unless anybody was waited for.

    A known contact that is to get a name that is shown is locked first and then read again, since it may have
    just got another one. What a faster transaction inserted is known in the next round; what is ours already is
    corrected at the end (nobody else sees it before we commit)."""
    names = {name for names in people for name in names}
    known = _look_up(sorted(names))
    ids: dict[int, int] = {}
    ours: dict[Name, int] = {}
    locked: set[int] = set()
    for attempt in range(ROUNDS):
        settled = settle(people, known)
        completed = {contact for (kind, _), contact in settled.attached.items() if contact > 0 and kind in SHOWN}
        if not completed <= locked:
            lock_contacts(completed)
            locked |= completed
            known = _look_up(sorted(names - ours.keys()))
            continue
        _allocate(ids, sorted({contact for contact in settled.contacts if contact < 0}, reverse=True))
        wanted = {name: ids.get(contact, contact) for name, contact in settled.attached.items()}
        missing = {name: contact for name, contact in wanted.items() if name not in ours}
        won = _insert_identities(missing, now)
        ours.update({name: missing[name] for name in won})
        lost = sorted(missing.keys() - won)
        if not lost:
            _correct_identities({name: contact for name, contact in wanted.items() if ours[name] != contact})
            read = {} if attempt else {found.contact_id: found for found in known.values()}
            return settled, ids, sorted(ids[contact] for contact in set(settled.contacts) if contact < 0), read
        known = {**known, **_look_up(lost)}
    raise RuntimeError("identities keep changing under this transaction")


def _look_up(names: Sequence[Name]) -> dict[Name, Known]:
    """Whom these names mean, then what is known of those: in two statements, since one after the other looks up each
    contact by itself, and this one goes through them in the order of their ids."""
    if not names:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT wanted.position, found.contact_id
              FROM jsonb_array_elements(%s::jsonb) WITH ORDINALITY AS wanted(name, position)
             CROSS JOIN LATERAL (
                   SELECT contact_id FROM contact_identities i
                    WHERE i.kind = wanted.name->>0 AND i.value = wanted.name->>1 LIMIT 1) found
            """,
            [json_rows.dump(names)],
        )
        means = {names[position - 1]: contact_id for position, contact_id in cursor.fetchall()}
    people = knowledge.read(means.values()) if means else {}
    return {name: people[contact_id] for name, contact_id in means.items() if contact_id in people}


def _allocate(ids: dict[int, int], newcomers: Sequence[int]) -> None:
    """Give every newcomer (a negative number) the id that its contact will have."""
    waiting = [number for number in newcomers if number not in ids]
    if waiting:
        with connection.cursor() as cursor:
            cursor.execute(NEW_IDS, [len(waiting)])
            ids.update(zip(waiting, (row[0] for row in cursor.fetchall()), strict=True))


def _insert_identities(wanted: Mapping[Name, int], now: datetime) -> set[Name]:
    """Those that are ours now. Sorted, so that two batches wait for each other in one direction only."""
    if not wanted:
        return set()
    names = sorted(wanted)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO contact_identities (kind, value, contact_id, first_seen_at)
            SELECT kind, value, contact_id, %s
              FROM unnest(%s::text[], %s::text[], %s::bigint[])
                   WITH ORDINALITY AS new(kind, value, contact_id, position)
             ORDER BY position
            ON CONFLICT (kind, value) DO NOTHING RETURNING kind, value
            """,
            [now, [kind for kind, _ in names], [value for _, value in names], [wanted[name] for name in names]],
        )
        return {(kind, value) for kind, value in cursor.fetchall()}


def _correct_identities(right: Mapping[Name, int]) -> None:
    if right:
        with connection.cursor() as cursor:
            cursor.execute(
                """
                UPDATE contact_identities i SET contact_id = correct.contact_id
                  FROM unnest(%s::text[], %s::text[], %s::bigint[]) AS correct(kind, value, contact_id)
                 WHERE i.kind = correct.kind AND i.value = correct.value
                """,
                [[kind for kind, _ in right], [value for _, value in right], list(right.values())],
            )


def _shown(
    people: Sequence[Identifiers],
    positions: Sequence[int],
    named: Mapping[int, Sequence[Name]],
    settled: Settlement,
    ids: Mapping[int, int],
) -> dict[int, dict[str, str]]:
    """For each contact that got a new external id, address or telephone: the first one."""
    shown: dict[int, dict[str, str]] = {}
    for number, contact in zip(positions, settled.contacts, strict=True):
        for name in named[number]:
            if name[0] in SHOWN and settled.attached.get(name) == contact:
                columns = shown.setdefault(ids.get(contact, contact), {})
                columns.setdefault(name[0], _as_shown(name, people[number]))
    return shown


def _as_shown(name: Name, person: Identifiers) -> str:
    """As it was written; a telephone is shown as it is compared."""
    return name[1] if name[0] == "phone" else getattr(person, name[0]).strip()


def _columns(contacts: Sequence[int], shown: Mapping[int, Mapping[str, str]]) -> list[list[int] | list[str]]:
    return [list(contacts), *([shown.get(contact, {}).get(kind, "") for contact in contacts] for kind in SHOWN)]


def _create_contacts(created: Sequence[int], shown: Mapping[int, Mapping[str, str]], now: datetime) -> None:
    if created:
        with connection.cursor() as cursor:
            cursor.execute(
                """
                INSERT INTO contacts (id, external_id, email, phone, created_at, updated_at)
                SELECT id, external_id, email, phone, %s, %s
                  FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[]) AS new(id, external_id, email, phone)
                """,
                [now, now, *_columns(created, shown)],
            )


def _complete_contacts(shown: Mapping[int, Mapping[str, str]], now: datetime) -> None:
    """Show what was newly attached where the contact had none. The contacts are locked already."""
    if shown:
        contacts = sorted(shown)
        with connection.cursor() as cursor:
            cursor.execute(
                """
                UPDATE contacts c
                   SET external_id = COALESCE(NULLIF(c.external_id, ''), new.external_id),
                       email = COALESCE(NULLIF(c.email, ''), new.email),
                       phone = COALESCE(NULLIF(c.phone, ''), new.phone), updated_at = %s
                  FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[]) AS new(id, external_id, email, phone)
                 WHERE c.id = new.id
                """,
                [now, *_columns(contacts, shown)],
            )


def _record_conflicts(conflicts: Mapping[tuple[int, Name], int], source: str, now: datetime) -> None:
    """Once for the same contact, name and other contact: a shared device would repeat it with every event."""
    if conflicts:
        with connection.cursor() as cursor:
            cursor.execute(
                """
                INSERT INTO contact_changes (contact_id, changed_at, kind, name, old, new, source)
                SELECT found.contact_id, %s, 'identity_conflict', found.kind, to_jsonb(found.means),
                       to_jsonb(found.value), %s
                  FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::bigint[])
                       AS found(contact_id, kind, value, means)
                  LEFT JOIN LATERAL (
                       SELECT true AS recorded FROM contact_changes c
                        WHERE c.contact_id = found.contact_id AND c.kind = 'identity_conflict' AND c.name = found.kind
                          AND c.new = to_jsonb(found.value) AND c.old = to_jsonb(found.means) LIMIT 1) seen ON true
                 WHERE seen.recorded IS NULL
                """,
                [
                    now,
                    source,
                    [contact for contact, _ in conflicts],
                    [kind for _, (kind, _value) in conflicts],
                    [value for _, (_kind, value) in conflicts],
                    list(conflicts.values()),
                ],
            )
