"""Segments: people for whom a condition is true. Written here; their membership is kept by `membership`."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from contacts import audit, authority, doorbell
from contacts.audiences import checks, lists, uses
from contacts.audiences.naming import Refused, description_faults, name_faults, slug_faults
from contacts.conditions import BadCondition, parse
from contacts.conditions.reading import Reads, reads
from contacts.faults import Fault

RESERVED = frozenset({"preview"})
_ONE_AT_A_TIME = "contacts.segments"  # whoever writes a segment sees all the others as they will stay
_PART = re.compile(r"[^.\[\]]+")


@dataclass(frozen=True)
class Standing:
    """A segment as it stands. `members` counts exactly. `progress`: the share of contacts that filling has seen, 1.0
    once it is live. `moves_with_time`: swept as well."""

    slug: str
    state: str
    members: int
    progress: float
    moves_with_time: bool
    swept_at: datetime | None


def validate(condition: object, *, slug: str = "") -> Reads:
    """What the condition reads. `slug`: of the segment that it is for. Raises Refused, every path after `condition`."""
    try:
        found = reads(parse(condition, path="condition"))
    except BadCondition as error:
        raise Refused([Fault(p.code, p.message, _loc(p.path)) for p in error.problems]) from error
    named = list(_named(condition, "condition"))
    known = _slugs()
    unknown_lists = lists.unknown({name for _, kind, name in named if kind == "in_list"})
    faults = []
    for path, kind, name in named:
        if kind == "in_segment" and name == slug:
            faults.append(Fault("cycle", "a segment cannot ask about itself", _loc(path)))
        elif kind == "in_segment" and name not in known:
            faults.append(Fault("unknown_segment", "there is no such segment", _loc(path)))
        elif kind == "in_list" and name in unknown_lists:
            faults.append(Fault("unknown_list", "there is no such list", _loc(path)))
    if not faults and slug and (circle := _circle(slug, found.segments)):
        message = f"it would go round in a circle: {' → '.join(circle)}"
        faults = [
            Fault("cycle", message, _loc(path))
            for path, kind, name in named
            if kind == "in_segment" and name == circle[1]
        ]
    if faults:
        raise Refused(faults)
    return found


def create(*, slug: str, name: str, condition: object, description: str = "", now: datetime) -> int:
    """The id of the new segment, in the caller's transaction: it is filled in silence, then live. Raises NotAllowed,
    Refused."""
    authority.require("contacts.add_segment")
    faults = slug_faults(slug) + name_faults(name) + description_faults(description)
    _hold()
    if isinstance(slug, str) and slug in RESERVED:
        faults.append(Fault("reserved", "is a word of the API", ("slug",)))
    if not faults and slug in _slugs():
        faults = [Fault("taken", "is the slug of another segment", ("slug",))]
    found = _validated(condition, slug, faults)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO segments (slug, name, description, condition, reads, moves_with_time, created_at, updated_at)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s) RETURNING id
            """,
            [
                slug,
                name.strip(),
                description,
                json.dumps(condition),
                sorted(found.abouts),
                found.moves_with_time,
                now,
                now,
            ],
        )
        segment_id: int = cursor.fetchone()[0]
    after = {"name": name.strip(), "description": description, "condition": condition}
    audit.note("segment.created", of=("segment", slug), name=name.strip(), after=after)
    _written()
    return segment_id


def change(
    slug: str, *, name: str | None = None, description: str | None = None, condition: object = None, now: datetime
) -> None:
    """Change what is not None; the slug stays. Another condition is filled anew, in silence. Raises NotAllowed,
    Refused, and LookupError where there is no such segment."""
    authority.require("contacts.change_segment")
    faults = [] if name is None else name_faults(name)
    faults += [] if description is None else description_faults(description)
    _hold()
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, description, condition FROM segments WHERE slug = %s FOR NO KEY UPDATE", [slug])
        row = cursor.fetchone()
        if row is None:
            raise LookupError(slug)
        stood = {"name": row[0], "description": row[1], "condition": json.loads(row[2])}
        if condition is not None:
            found = _validated(condition, slug, faults)
        elif faults:
            raise Refused(faults)
        cursor.execute(
            "UPDATE segments SET name = COALESCE(%s, name), description = COALESCE(%s, description), updated_at = %s "
            "WHERE slug = %s",
            [name and name.strip(), description, now, slug],
        )
        if condition is not None:
            cursor.execute(
                """
                UPDATE segments SET condition = %s, reads = %s, moves_with_time = %s, state = 'building',
                       seen_from = 0, filled_to = 0, swept_to = 0
                 WHERE slug = %s AND condition <> %s::jsonb
                """,
                [json.dumps(condition), sorted(found.abouts), found.moves_with_time, slug, json.dumps(condition)],
            )
    given = {"name": name and name.strip(), "description": description, "condition": condition}
    before, after = audit.changed(stood, {**stood, **{key: value for key, value in given.items() if value is not None}})
    if after:
        audit.note("segment.changed", of=("segment", slug), name=stood["name"], before=before, after=after)
    _written()


def delete(slug: str) -> None:
    """Delete the segment and its membership; nobody is told that they left. Raises Refused while anything names it
    (`uses`), and LookupError where there is no such segment."""
    authority.require("contacts.delete_segment")
    _hold()
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, name, condition FROM segments WHERE slug = %s FOR UPDATE", [slug])
        row = cursor.fetchone()
        if row is None:
            raise LookupError(slug)
        if faults := uses.faults("segment", slug, loc="slug"):
            raise Refused(faults)
        cursor.execute("DELETE FROM segment_members WHERE segment_id = %s", [row[0]])
        cursor.execute("DELETE FROM segments WHERE id = %s", [row[0]])
    audit.note("segment.deleted", of=("segment", slug), name=row[1], before={"condition": json.loads(row[2])})


def unknown(slugs: Collection[str]) -> set[str]:
    """Those that no segment has."""
    return set(slugs) - _slugs()


def standings(slugs: list[str] | None = None, *, count_to: int | None = None) -> dict[str, Standing]:
    """How these segments stand (None: all of them), by slug; members are counted no further than `count_to` (None: all
    of them are counted, which reads each). One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT s.slug, s.state,
                   (SELECT count(*) FROM (SELECT FROM segment_members m WHERE m.segment_id = s.id LIMIT %s) n),
                   CASE WHEN s.state = 'live' THEN 1
                        ELSE s.filled_to::float8 / GREATEST((SELECT max(id) FROM contacts), 1) END,
                   s.moves_with_time, s.swept_at
              FROM segments s WHERE %s::text[] IS NULL OR s.slug = ANY(%s)
            """,
            [count_to, slugs, slugs],
        )
        return {
            row[0]: Standing(row[0], row[1], row[2], min(float(row[3]), 1.0), *row[4:]) for row in cursor.fetchall()
        }


def _hold() -> None:
    assert connection.in_atomic_block, "segments are written in the caller's transaction"
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [_ONE_AT_A_TIME])


def _validated(condition: object, slug: str, faults: list[Fault]) -> Reads:
    """Raises Refused with these faults and those of the condition."""
    try:
        found = validate(condition, slug=slug)
    except Refused as error:
        raise Refused([*faults, *error.faults]) from error
    if faults:
        raise Refused(faults)
    return found


def _written() -> None:
    """Put every segment one level above those that it asks about, and have the new condition filled."""
    asked = _asked()
    levels: dict[str, int] = {}

    def level(slug: str) -> int:
        if slug not in levels:
            levels[slug] = 1 + max((level(other) for other in asked[slug] if other in asked), default=-1)
        return levels[slug]

    for slug in asked:
        level(slug)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE segments SET level = new.level FROM unnest(%s::text[], %s::smallint[]) AS new(slug, level)
             WHERE segments.slug = new.slug AND segments.level <> new.level
            """,
            [list(levels), list(levels.values())],
        )
    doorbell.ring_on_commit(checks.BELL, "bulk")


def _slugs() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT slug FROM segments")
        return {slug for (slug,) in cursor.fetchall()}


def _asked() -> dict[str, set[str]]:
    """Slug -> the slugs of the segments that its condition asks about."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT slug, ARRAY(SELECT substr(about, 9) FROM unnest(reads) AS about WHERE about LIKE 'segment:%%') "
            "FROM segments",
            [],
        )
        return {slug: set(asked) for slug, asked in cursor.fetchall()}


def _circle(slug: str, asks: frozenset[str]) -> list[str]:
    """The way from a segment through those that it asks about back to itself; empty if there is none."""
    asked: Mapping[str, set[str]] = {**_asked(), slug: set(asks)}
    seen: set[str] = set()

    def walk(at: str, way: list[str]) -> list[str]:
        for other in sorted(asked.get(at, ())):
            if other == slug:
                return [*way, slug]
            if other not in seen:
                seen.add(other)
                if found := walk(other, [*way, other]):
                    return found
        return []

    return walk(slug, [slug])


def _named(tree: object, path: str) -> Iterator[tuple[str, str, str]]:
    """(path, kind, name) of the nodes of one name in a condition that was read without a problem."""
    if isinstance(tree, dict):
        for key, inside in tree.items():
            if key in ("in_list", "in_segment") and isinstance(inside, str):
                yield f"{path}.{key}", key, inside
            elif key in ("all", "any", "not", "where"):
                yield from _named(inside, f"{path}.{key}")
    elif isinstance(tree, list):
        for position, inside in enumerate(tree):
            yield from _named(inside, f"{path}[{position}]")


def _loc(path: str) -> tuple[str | int, ...]:
    """`condition.all[1].value` -> condition, all, 1, value."""
    return tuple(int(part) if part.isdigit() else part for part in _PART.findall(path))
