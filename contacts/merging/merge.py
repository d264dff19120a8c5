"""Merging: the survivor gets the absorbed contact's names, history and work, and the ledger knows how to part them.

Locks, in this order: rows that workers hold while they wait for a contact, then the contacts by their ids. Everything
that decides is read after that. A batch of merges costs a constant number of statements for each table that holds
something of a person, whatever they did."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import IntegrityError, connection, transaction

from contacts import audit, authority, changes, signals
from contacts.changes import Change
from contacts.locking import lock_contacts
from contacts.merged import living_ids
from contacts.merging import consents, rows
from contacts.merging.profiles import Made, Profile, made, oldest_known
from contacts.signals import Merged
from contacts.upserting import CAP, FIELDS

SOURCE = "merge"  # of the changes and consents that a merge writes; who asked for it is in the ledger
ROUNDS = 8
EVERYTHING = {"attribute", "field", "tag", "list"}  # kinds of changes that somebody may have waited for


class Unmergeable(ValueError):
    """These contacts cannot be merged. `code`: unknown · same · erased · absorbed."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def merge(*, survivor_id: int, absorbed_id: int, source: str, actor: str, now: datetime) -> int:
    """Merge two living contacts in the caller's transaction; returns the id of the merge.

    `source`: api · admin · segment · import; `actor`: the key or the person who asked for it. Raises Unmergeable."""
    if survivor_id == absorbed_id:
        raise Unmergeable("same", "a contact cannot be merged into itself")
    profiles = hold([survivor_id, absorbed_id])
    for contact_id in (survivor_id, absorbed_id):
        _check(profiles.get(contact_id))
    pairs = [(profiles[survivor_id], profiles[absorbed_id])]
    return _merge(pairs, source=source, actor=actor, now=now)[0].merge_id


def unite(contact_ids: Collection[int], *, source: str, actor: str, now: datetime) -> list[Merged]:
    """Merge all of these, in the caller's transaction: the oldest known contact survives, in whatever order they are
    given. Ids of merged contacts mean the one that lives; if all mean the same one already, nothing is done.

    Raises Unmergeable for one that is not there or was erased, and where the same id is all that was given;
    NotAllowed."""
    authority.require("contacts.change_contact")
    if len(set(contact_ids)) < 2:
        raise Unmergeable("same", "a contact cannot be merged into itself")
    profiles = _hold_living(contact_ids)
    for profile in profiles.values():
        _check(profile)
    living = {profile.contact_id: profile for profile in profiles.values() if profile is not None}
    survivor = oldest_known(living).contact_id
    merges: list[Merged] = []
    for absorbed in sorted(living.keys() - {survivor}):
        again = hold([survivor, absorbed])
        merges += _merge([(again[survivor], again[absorbed])], source=source, actor=actor, now=now)
    merged = [(each.merge_id, None, {"survivor": each.survivor_id, "absorbed": each.absorbed_id}) for each in merges]
    audit.note_each("contact.merged", "merge", merged)
    return merges


def absorb_anonymous(pairs: Sequence[tuple[int, int]], *, source: str, now: datetime) -> int:
    """For (known contact, contact of a device): the device's history becomes the known contact's, in the caller's
    transaction. Returns how many were merged; passes over whoever has an external id, an address or a telephone
    (nobody known is merged by a claim), is erased, or is the known contact already."""
    waiting = [pair for pair in pairs if pair[0] != pair[1]]
    done = 0
    for _ in range(len(waiting)):
        if not waiting:
            break
        profiles = _hold_living({contact for pair in waiting for contact in pair})
        taken: set[int] = set()
        chosen: list[tuple[Profile, Profile]] = []
        later: list[tuple[int, int]] = []
        for pair in waiting:
            known, anonymous = profiles.get(pair[0]), profiles.get(pair[1])
            if known is None or anonymous is None or known.erased or anonymous.erased or anonymous.known:
                continue
            if known.contact_id == anonymous.contact_id:
                continue
            if {known.contact_id, anonymous.contact_id} & taken:
                later.append(pair)
                continue
            taken |= {known.contact_id, anonymous.contact_id}
            chosen.append((known, anonymous))
        done += len(_merge(chosen, source=source, actor="", now=now))
        waiting = later
    return done


def _check(profile: Profile | None) -> None:
    if profile is None:
        raise Unmergeable("unknown", "there is no such contact")
    if profile.erased:
        raise Unmergeable("erased", "an erased contact cannot be merged")
    if profile.merged_into is not None:
        raise Unmergeable("absorbed", "the contact was merged into another one already")


def hold(contact_ids: Collection[int]) -> dict[int, Profile]:
    """Lock in one statement, read in the next."""
    rows.lock_worked_on(contact_ids)
    lock_contacts(contact_ids)
    return _read(contact_ids)


def _hold_living(contact_ids: Collection[int]) -> dict[int, Profile | None]:
    """By the id that was given: the contact that lives, locked."""
    for _ in range(ROUNDS):
        living = living_ids(contact_ids)
        profiles = hold(set(living.values()))
        if all(profile.merged_into is None for profile in profiles.values()):
            return {asked: profiles.get(living[asked]) if asked in living else None for asked in contact_ids}
    raise RuntimeError("contacts keep being merged under this transaction")


def _read(contact_ids: Collection[int]) -> dict[int, Profile]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT c.id, c.public_id::text, c.attributes::text, c.created_at, c.merged_into_id,
                   c.erased_at IS NOT NULL,
                   EXISTS (SELECT FROM contact_identities i
                            WHERE i.contact_id = c.id AND i.kind IN ('external_id', 'email', 'phone')),
                   COALESCE((SELECT jsonb_object_agg(name, extract(epoch FROM at)) FROM (
                        SELECT name, max(changed_at) AS at FROM contact_changes
                         WHERE contact_id = c.id AND kind = 'attribute' AND source NOT IN ('merge', 'merge_undone')
                         GROUP BY name) latest), '{{}}')::text,
                   {CAP}::text, {", ".join(FIELDS)}
              FROM contacts c WHERE c.id = ANY(%s)
            """,
            [sorted(contact_ids)],
        )
        return {row[0]: _profile(row) for row in cursor.fetchall()}


def _profile(row: Sequence[Any]) -> Profile:
    contact_id, public_id, attributes, created_at, merged_into, erased, known, changed, cap, *fields = row
    return Profile(
        contact_id=contact_id,
        public_id=public_id,
        fields={**dict(zip(FIELDS, fields, strict=True)), CAP: json.loads(cap or "null")},
        attributes=json.loads(attributes),
        created_at=created_at,
        known=known,
        attributes_at={name: datetime.fromtimestamp(at, created_at.tzinfo) for name, at in json.loads(changed).items()},
        merged_into=merged_into,
        erased=erased,
    )


def _merge(pairs: Sequence[tuple[Profile, Profile]], *, source: str, actor: str, now: datetime) -> list[Merged]:
    """Merge (survivor, absorbed); nobody is in two pairs, all are locked and alive."""
    if not pairs:
        return []
    defaults = {"per_day": settings.FREQUENCY_CAP_PER_DAY, "per_week": settings.FREQUENCY_CAP_PER_WEEK}
    results = [made(survivor, absorbed, defaults) for survivor, absorbed in pairs]
    words = consents.last_words([profile.contact_id for pair in pairs for profile in pair])
    merges = _write_ledger(pairs, results, source, actor, now)
    _write_profiles(pairs, results, now)
    give(merges, now=now)
    consents.tighten(merges, words, now=now)
    changes.append(
        [each for merged, result in zip(merges, results, strict=True) for each in _changes(merged.survivor_id, result)],
        source=SOURCE,
        now=now,
    )
    changes.tell([each.survivor_id for each in merges], EVERYTHING, now)
    return merges


def give(merges: Sequence[Merged], *, now: datetime) -> None:
    """Everything that the absorbed contacts have goes to their survivors, once the floors above have decided what of
    it can stand side by side. A row that somebody adds between their decision and the move, such as an enrolment, makes
    them decide again."""
    for attempt in range(1, ROUNDS + 1):
        try:
            with transaction.atomic():
                signals.contacts_merged.send(sender=Merged, merges=tuple(merges), now=now)
                rows.move(merges)
            return
        except IntegrityError:
            if attempt == ROUNDS:
                raise


def _write_ledger(
    pairs: Sequence[tuple[Profile, Profile]], results: Sequence[Made], source: str, actor: str, now: datetime
) -> list[Merged]:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO contact_merges (survivor_id, absorbed_id, merged_at, source, actor, before)
            SELECT survivor, absorbed, %s, %s, %s, before::jsonb
              FROM unnest(%s::bigint[], %s::bigint[], %s::text[]) AS new(survivor, absorbed, before)
            RETURNING id, survivor_id, absorbed_id
            """,
            [
                now,
                source,
                actor,
                [survivor.contact_id for survivor, _ in pairs],
                [absorbed.contact_id for _, absorbed in pairs],
                [json.dumps(result.as_json(), ensure_ascii=False) for result in results],
            ],
        )
        found = {row[1]: Merged(*row) for row in cursor.fetchall()}
    return [found[survivor.contact_id] for survivor, _ in pairs]


def _write_profiles(pairs: Sequence[tuple[Profile, Profile]], results: Sequence[Made], now: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE contacts c SET merged_into_id = new.survivor, updated_at = %s
              FROM unnest(%s::bigint[], %s::bigint[]) AS new(id, survivor) WHERE c.id = new.id
            """,
            [now, [absorbed.contact_id for _, absorbed in pairs], [survivor.contact_id for survivor, _ in pairs]],
        )
    write(
        {
            survivor.contact_id: (
                {**survivor.fields, **{name: new for name, (_, new) in result.fields.items()}},
                _replaced(survivor.attributes, {name: new for name, (_, new) in result.attributes.items()}),
                result.created_at[1] if result.created_at else survivor.created_at,
            )
            for (survivor, _), result in zip(pairs, results, strict=True)
        },
        now=now,
    )


def write(profiles: Mapping[int, tuple[Mapping[str, Any], Mapping[str, Any], datetime]], *, now: datetime) -> None:
    """Contact id -> (fields with the cap, attributes, created_at). One statement; the contacts are locked."""
    columns = ", ".join(f"{name} = new.{name}" for name in FIELDS)
    caps = [fields[CAP] for fields, _, _ in profiles.values()]
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
                [json.dumps(attributes, ensure_ascii=False) for _, attributes, _ in profiles.values()],
                [created_at for _, _, created_at in profiles.values()],
                [None if cap is None else json.dumps(cap) for cap in caps],
                *[[fields[name] for fields, _, _ in profiles.values()] for name in FIELDS],
            ],
        )


def _replaced(attributes: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """A value that is None removes."""
    return {name: value for name, value in {**attributes, **new}.items() if value is not None or name not in new}


def _changes(contact_id: int, result: Made) -> list[Change]:
    return [
        *(Change(contact_id, "field", name, old, new) for name, (old, new) in result.fields.items()),
        *(Change(contact_id, "attribute", name, old, new) for name, (old, new) in result.attributes.items()),
    ]
