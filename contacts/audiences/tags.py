"""Tags: what a contact is labelled with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from contacts import audit, authority, changes, events
from contacts.audiences import uses
from contacts.audiences.naming import Refused
from contacts.changes import Change
from contacts.events import OwnEvent

_TAKEN_AT_ONCE = 5000


@dataclass(frozen=True)
class Tagging:
    """This contact and this tag, to give or to take. `source`: api · import · admin · workflow:<slug>."""

    contact_id: int
    tag: str
    source: str


def add_tag(*, contact_ids: Sequence[int], tag: str, source: str, now: datetime, lane: str = "urgent") -> list[int]:
    """Those of the contacts who did not have the tag and have it now. See `add_tags`."""
    added = add_tags([Tagging(contact_id, tag, source) for contact_id in contact_ids], now=now, lane=lane)
    return [tagging.contact_id for tagging in added]


def add_tags(taggings: Sequence[Tagging], *, now: datetime, lane: str = "urgent") -> list[Tagging]:
    """Add tags in the caller's transaction; returns those that were new, sorted by tag and contact.

    For each new one a `contact_changes` row and our own event `tag_added` {"tag": …}. Contacts that do not exist are
    passed over. A constant number of statements, whatever the number of contacts and tags."""
    wanted = {(tagging.tag, tagging.contact_id): tagging for tagging in taggings}
    if not wanted:
        return []
    tag_ids = _tag_ids(sorted({tag for tag, _ in wanted}))
    row_ids = _insert([(tag_ids[tag], contact_id) for tag, contact_id in sorted(wanted)], now)
    added = [wanted[key] for key in sorted(wanted) if (tag_ids[key[0]], key[1]) in row_ids]
    changes.append(
        [Change(tagging.contact_id, "tag", tagging.tag, False, True, tagging.source) for tagging in added],
        source="",
        now=now,
        lane=lane,
    )
    events.record_own(
        [
            OwnEvent(
                contact_id=tagging.contact_id,
                type="tag_added",
                properties={"tag": tagging.tag},
                # a tag that is removed and added again is a new row, and a new event
                key=f"tag_added:{row_ids[tag_ids[tagging.tag], tagging.contact_id]}",
            )
            for tagging in added
        ],
        now=now,
        lane=lane,
    )
    return added


def remove_tags(taggings: Sequence[Tagging], *, now: datetime, lane: str = "urgent") -> list[Tagging]:
    """Take tags away in the caller's transaction; returns those that were there, sorted by tag and contact.

    For each a `contact_changes` row. Two statements, whatever the number."""
    unwanted = {(tagging.tag, tagging.contact_id): tagging for tagging in taggings}
    if not unwanted:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            """
            DELETE FROM contact_tags USING tags, unnest(%s::text[], %s::bigint[]) AS unwanted(name, contact_id)
             WHERE tags.name = unwanted.name AND contact_tags.tag_id = tags.id
               AND contact_tags.contact_id = unwanted.contact_id
            RETURNING tags.name, contact_tags.contact_id
            """,
            [[tag for tag, _ in unwanted], [contact_id for _, contact_id in unwanted]],
        )
        removed = [unwanted[name, contact_id] for name, contact_id in sorted(cursor.fetchall())]
    changes.append(
        [Change(tagging.contact_id, "tag", tagging.tag, True, False, tagging.source) for tagging in removed],
        source="",
        now=now,
        lane=lane,
    )
    return removed


def delete(name: str, *, source: str, now: datetime, lost_before: int = 0) -> int:
    """Take the tag from everybody, and forget it; returns how many had it. `lost_before`: how many others it was taken
    from just now, for the audit log. Raises NotAllowed, LookupError where there is none."""
    authority.require("contacts.delete_tag")
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM tags WHERE name = %s FOR UPDATE", [name])
        row = cursor.fetchone()
        if row is None:
            raise LookupError(name)
        removed = 0
        while True:
            cursor.execute("SELECT contact_id FROM contact_tags WHERE tag_id = %s LIMIT %s", [row[0], _TAKEN_AT_ONCE])
            bearers = [contact_id for (contact_id,) in cursor.fetchall()]
            if not bearers:
                break
            taggings = [Tagging(contact_id, name, source) for contact_id in bearers]
            removed += len(remove_tags(taggings, now=now, lane="bulk"))
        cursor.execute("DELETE FROM tags WHERE id = %s", [row[0]])
    audit.note("tag.deleted", of=("tag", name), name=name, before={"contacts": lost_before + removed})
    return removed


def rename(name: str, new_name: str, *, source: str, now: datetime) -> int:
    """Call a tag otherwise, in the caller's transaction; where there is a tag of the new name, the two become one.
    Returns how many contacts had it. No event says so: nobody got a tag whom it was not given to before.

    `new_name` is a valid one. Raises Refused while anything names the old one (`uses`), and LookupError where there is
    no such tag."""
    authority.require("contacts.delete_tag")
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM tags WHERE name = %s FOR UPDATE", [name])
        row = cursor.fetchone()
        if row is None:
            raise LookupError(name)
        if new_name == name:
            return 0
        if faults := uses.faults("tag", name, loc="name"):
            raise Refused(faults)
        new_id = _tag_ids([new_name])[new_name]
        renamed = 0
        while bearers := _hand_over(row[0], new_id):
            renamed += len(bearers)
            said = [Change(contact_id, "tag", name, True, False) for contact_id, _ in bearers]
            said += [Change(contact_id, "tag", new_name, False, True) for contact_id, is_new in bearers if is_new]
            changes.append(said, source=source, now=now, lane="bulk")
        cursor.execute("DELETE FROM tags WHERE id = %s", [row[0]])
    audit.note("tag.renamed", of=("tag", name), name=new_name, before={"name": name}, after={"name": new_name})
    return renamed


def _hand_over(tag_id: int, new_id: int) -> list[tuple[int, bool]]:
    """Of some who have the tag: the contact, and whether the other tag is new to them. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH bearers AS (
                SELECT t.id, t.contact_id, n.id IS NULL AS is_new
                  FROM contact_tags t
                  LEFT JOIN contact_tags n ON n.contact_id = t.contact_id AND n.tag_id = %(new)s
                 WHERE t.tag_id = %(old)s ORDER BY t.id LIMIT %(limit)s),
            moved AS (
                UPDATE contact_tags t SET tag_id = %(new)s FROM bearers b WHERE t.id = b.id AND b.is_new),
            dropped AS (
                DELETE FROM contact_tags t USING bearers b WHERE t.id = b.id AND NOT b.is_new)
            SELECT contact_id, is_new FROM bearers ORDER BY contact_id
            """,
            {"old": tag_id, "new": new_id, "limit": _TAKEN_AT_ONCE},
        )
        return cursor.fetchall()


def _tag_ids(names: Sequence[str]) -> dict[str, int]:
    with connection.cursor() as cursor:
        # reading first keeps the sequence from running through numbers, and a known tag from being written at all
        cursor.execute(
            """
            INSERT INTO tags (name)
            SELECT name FROM unnest(%s::text[]) AS wanted(name)
             WHERE NOT EXISTS (SELECT 1 FROM tags WHERE tags.name = wanted.name) ORDER BY name
            ON CONFLICT (name) DO NOTHING
            """,
            [list(names)],
        )
        cursor.execute("SELECT name, id FROM tags WHERE name = ANY(%s)", [list(names)])
        return dict(cursor.fetchall())


def _insert(pairs: Sequence[tuple[int, int]], now: datetime) -> dict[tuple[int, int], int]:
    """(tag id, contact id) -> row id, of those that were new."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO contact_tags (contact_id, tag_id, added_at)
            SELECT contact.id, wanted.tag_id, %s
              FROM unnest(%s::bigint[], %s::bigint[]) AS wanted(tag_id, contact_id)
             CROSS JOIN LATERAL (SELECT id FROM contacts WHERE contacts.id = wanted.contact_id LIMIT 1) contact
             ORDER BY wanted.tag_id, contact.id
            ON CONFLICT (contact_id, tag_id) DO NOTHING RETURNING tag_id, contact_id, id
            """,
            [now, [tag_id for tag_id, _ in pairs], [contact_id for _, contact_id in pairs]],
        )
        return {(tag_id, contact_id): row_id for tag_id, contact_id, row_id in cursor.fetchall()}
