"""Lists: people put together by hand, by an import or by a step."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from contacts import audit, authority, changes, events
from contacts.audiences import uses
from contacts.audiences.naming import Refused, description_faults, name_faults, slug_faults
from contacts.changes import Change
from contacts.events import OwnEvent
from contacts.faults import Fault

_EMPTIED_AT_ONCE = 5000


@dataclass(frozen=True)
class Place:
    """This contact and the list with this slug, to join or leave. `source`: api · import · admin · workflow:<slug>."""

    contact_id: int
    slug: str
    source: str


def create(*, slug: str, name: str, description: str = "", now: datetime) -> int:
    """The id of the new list. Raises NotAllowed, Refused."""
    authority.require("contacts.add_list")
    faults = slug_faults(slug) + name_faults(name) + description_faults(description)
    if faults:
        raise Refused(faults)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO lists (slug, name, description, created_at) VALUES (%s, %s, %s, %s) "
            "ON CONFLICT (slug) DO NOTHING RETURNING id",
            [slug, name.strip(), description, now],
        )
        row = cursor.fetchone()
    if row is None:
        raise Refused([Fault("taken", "is the slug of another list", ("slug",))])
    after = {"name": name.strip(), "description": description}
    audit.note("list.created", of=("list", slug), name=name.strip(), after=after)
    return row[0]


def change(slug: str, *, name: str | None = None, description: str | None = None) -> None:
    """Call it otherwise; the slug stays. Raises NotAllowed, Refused, and LookupError where there is no such list."""
    authority.require("contacts.change_list")
    faults = [] if name is None else name_faults(name)
    faults += [] if description is None else description_faults(description)
    if faults:
        raise Refused(faults)
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, description FROM lists WHERE slug = %s FOR NO KEY UPDATE", [slug])
        row = cursor.fetchone()
        if row is None:
            raise LookupError(slug)
        stood = {"name": row[0], "description": row[1]}
        new = {
            "name": stood["name"] if name is None else name.strip(),
            "description": stood["description"] if description is None else description,
        }
        cursor.execute(
            "UPDATE lists SET name = %(name)s, description = %(description)s WHERE slug = %(slug)s",
            {**new, "slug": slug},
        )
    before, after = audit.changed(stood, new)
    if after:
        audit.note("list.changed", of=("list", slug), name=stood["name"], before=before, after=after)


def delete(slug: str, *, source: str, now: datetime) -> int:
    """Everybody leaves, and the list goes; returns how many left. Raises Refused while anything names it
    (`uses`), and LookupError where there is no such list."""
    authority.require("contacts.delete_list")
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, name FROM lists WHERE slug = %s FOR UPDATE", [slug])
        row = cursor.fetchone()
        if row is None:
            raise LookupError(slug)
        if faults := uses.faults("list", slug, loc="slug"):
            raise Refused(faults)
        left = 0
        while True:
            cursor.execute(
                "SELECT contact_id FROM list_members WHERE list_id = %s ORDER BY id LIMIT %s",
                [row[0], _EMPTIED_AT_ONCE],
            )
            members = [contact_id for (contact_id,) in cursor.fetchall()]
            if not members:
                break
            left += len(leave([Place(contact_id, slug, source) for contact_id in members], now=now, lane="bulk"))
        cursor.execute("DELETE FROM lists WHERE id = %s", [row[0]])
    audit.note("list.deleted", of=("list", slug), name=row[1], before={"members": left})
    return left


def unknown(slugs: Collection[str]) -> set[str]:
    """Those that no list has."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT slug FROM lists WHERE slug = ANY(%s)", [[slug for slug in slugs if "\x00" not in slug]])
        return set(slugs) - {slug for (slug,) in cursor.fetchall()}


def join(places: Sequence[Place], *, now: datetime, lane: str = "urgent") -> list[Place]:
    """Put contacts into lists in the caller's transaction; returns the places that are new, sorted by list and contact.

    For each a `contact_changes` row and our own event `list_joined` {"list": slug}. Contacts and lists that do not
    exist are passed over. A constant number of statements, whatever the number of contacts and lists."""
    wanted = {(place.slug, place.contact_id): place for place in places}
    if not wanted:
        return []
    row_ids = _insert(sorted(wanted), now)
    joined = [wanted[key] for key in sorted(row_ids)]
    _write_down(joined, old=False, new=True, now=now, lane=lane)
    events.record_own(
        [
            OwnEvent(
                contact_id=place.contact_id,
                type="list_joined",
                properties={"list": place.slug},
                # who leaves and comes back has a new row, and a new event
                key=f"list_joined:{row_ids[place.slug, place.contact_id]}",
            )
            for place in joined
        ],
        now=now,
        lane=lane,
    )
    return joined


def leave(places: Sequence[Place], *, now: datetime, lane: str = "urgent") -> list[Place]:
    """Take contacts out of lists in the caller's transaction; returns the places that there were, sorted by list and
    contact. For each a `contact_changes` row."""
    unwanted = {(place.slug, place.contact_id): place for place in places}
    if not unwanted:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            """
            DELETE FROM list_members USING lists, unnest(%s::text[], %s::bigint[]) AS unwanted(slug, contact_id)
             WHERE lists.slug = unwanted.slug AND list_members.list_id = lists.id
               AND list_members.contact_id = unwanted.contact_id
            RETURNING lists.slug, list_members.contact_id
            """,
            [[slug for slug, _ in unwanted], [contact_id for _, contact_id in unwanted]],
        )
        left = [unwanted[slug, contact_id] for slug, contact_id in sorted(cursor.fetchall())]
    _write_down(left, old=True, new=False, now=now, lane=lane)
    return left


def _insert(wanted: Sequence[tuple[str, int]], now: datetime) -> dict[tuple[str, int], int]:
    """(slug, contact id) -> row id, of those that are new."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH wanted AS (
                SELECT lists.id AS list_id, lists.slug, contact.id AS contact_id
                  FROM unnest(%s::text[], %s::bigint[]) AS wanted(slug, contact_id)
                  JOIN lists ON lists.slug = wanted.slug
                 CROSS JOIN LATERAL (SELECT id FROM contacts WHERE contacts.id = wanted.contact_id LIMIT 1) contact),
            joined AS (
                INSERT INTO list_members (contact_id, list_id, joined_at)
                SELECT contact_id, list_id, %s FROM wanted ORDER BY list_id, contact_id
                ON CONFLICT (contact_id, list_id) DO NOTHING RETURNING id, contact_id, list_id)
            SELECT slug, contact_id, joined.id FROM joined JOIN wanted USING (contact_id, list_id)
            """,
            [[slug for slug, _ in wanted], [contact_id for _, contact_id in wanted], now],
        )
        return {(slug, contact_id): row_id for slug, contact_id, row_id in cursor.fetchall()}


def _write_down(places: Sequence[Place], *, old: bool, new: bool, now: datetime, lane: str) -> None:
    changes.append(
        [Change(place.contact_id, "list", place.slug, old, new, place.source) for place in places],
        source="",
        now=now,
        lane=lane,
    )
