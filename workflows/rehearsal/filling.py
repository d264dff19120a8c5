"""Filling a scratch with the world as it was at an instant: contacts with what they were then, and what conditions,
caps and re-entry ask about the time before. Set by set, in slices: no statement runs long over live tables."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from contacts import transactions
from workflows import publishing
from workflows.rehearsal.asked import RECORDED, Asked, Piece
from workflows.rehearsal.reading import Scope
from workflows.scratch import Scratch

HISTORY = timedelta(days=400)  # how much of the event log before the period is known
CAPS = timedelta(days=9)  # what frequency caps look back on, and a day more
SLICE = 20_000  # contacts
AHEAD = 1_000_000_000

Say = Callable[[str], None]

# Since when we know somebody. An import may say that they are older, but nothing could happen to them before.
KNOWN_FROM = "COALESCE((SELECT min(first_seen_at) FROM contact_identities i WHERE i.contact_id = c.id), c.created_at)"
# The same part of the contacts whenever it is asked for. Ids count on, so their own last digits would not be a sample.
SAMPLED = "abs(hashint8({contact})::bigint) %% 10000 < %(sample)s"
LIVING = "c.merged_into_id IS NULL AND c.erased_at IS NULL"

# What a contact was at %(since)s: of each thing that changed later, the old value of the first change.
PEOPLE = """
    INSERT INTO {double}.contacts (id, public_id, external_id, email, phone, attributes, timezone, locale, region,
                                   owner_email, frequency_cap, created_at, updated_at)
    SELECT c.id, c.public_id,
           COALESCE(was.fields ->> 'external_id', c.external_id), COALESCE(was.fields ->> 'email', c.email),
           COALESCE(was.fields ->> 'phone', c.phone),
           (c.attributes - COALESCE(was.touched, '{}')) || COALESCE(was.attributes, '{}'),
           COALESCE(was.fields ->> 'timezone', c.timezone), COALESCE(was.fields ->> 'locale', c.locale),
           COALESCE(was.fields ->> 'region', c.region), COALESCE(was.fields ->> 'owner_email', c.owner_email),
           CASE WHEN was.fields ? 'frequency_cap' THEN NULLIF(was.fields -> 'frequency_cap', 'null')
                ELSE c.frequency_cap END,
           c.created_at, LEAST(c.updated_at, %(since)s)
      FROM contacts c
      LEFT JOIN LATERAL (
           SELECT array_agg(name) FILTER (WHERE kind = 'attribute') AS touched,
                  jsonb_object_agg(name, old) FILTER (WHERE kind = 'attribute' AND old IS NOT NULL AND old <> 'null')
                      AS attributes,
                  jsonb_object_agg(name, old) FILTER (WHERE kind = 'field') AS fields
             FROM (SELECT DISTINCT ON (kind, name) kind, name, old FROM contact_changes h
                    WHERE h.contact_id = c.id AND h.changed_at >= %(since)s AND h.kind IN ('attribute', 'field')
                    ORDER BY kind, name, id) first) was ON true
     WHERE {whom}
"""
_MEMBERS = """
    INSERT INTO {double}.{table} (contact_id, {of}, {since_when})
    SELECT p.id, thing.id, %(since)s
      FROM {double}.contacts p
     CROSS JOIN LATERAL (
           SELECT name FROM (
                  SELECT thing.{name} AS name FROM {table} m JOIN {things} thing ON thing.id = m.{of}
                   WHERE m.contact_id = p.id
                   UNION SELECT name FROM contact_changes h
                          WHERE h.contact_id = p.id AND h.changed_at >= %(since)s AND h.kind = '{kind}') candidate
            WHERE COALESCE((SELECT h.old = 'true' FROM contact_changes h
                             WHERE h.contact_id = p.id AND h.changed_at >= %(since)s AND h.kind = '{kind}'
                               AND h.name = candidate.name ORDER BY h.id LIMIT 1), true)) had
      JOIN {double}.{things} thing ON thing.{name} = had.name
     WHERE p.id = ANY(%(people)s)
    ON CONFLICT DO NOTHING
"""
_TAGS = {"{table}": "contact_tags", "{of}": "tag_id", "{since_when}": "added_at", "{things}": "tags"}
_TAGS |= {"{name}": "name", "{kind}": "tag"}
_LISTS = {"{table}": "list_members", "{of}": "list_id", "{since_when}": "joined_at", "{things}": "lists"}
_LISTS |= {"{name}": "slug", "{kind}": "list"}
_PAST = """
    INSERT INTO {double}.contact_events (id, contact_id, recorded_contact_id, type, occurred_at, recorded_at,
                                         properties, context, source, processed, key_hash)
    SELECT e.id, e.contact_id, e.recorded_contact_id, e.type, e.occurred_at, e.recorded_at, e.properties, e.context,
           e.source, e.processed, e.key_hash
      FROM contact_events e
     WHERE e.contact_id = ANY(%(people)s) AND e.processed
       AND e.{clock}_at < %(since)s AND e.occurred_at >= %(from)s AND e.occurred_at < %(since)s + interval '24 hours'
       AND (%(types)s::text[] IS NULL OR e.type = ANY(%(types)s))
"""
_COUNTS = "cap_delta <> 0 AND counts_at > %(capped_from)s AND at < %(since)s"
_SIDES = """
    INSERT INTO {double}.score_sides (contact_id, score_name, threshold, above, seq)
    SELECT DISTINCT ON (s.contact_id, s.score_name, s.threshold)
           s.contact_id, s.score_name, s.threshold, s.upward, s.seq
      FROM score_crossings s WHERE s.contact_id = ANY(%(people)s) AND s.crossed_at < %(since)s
     ORDER BY s.contact_id, s.score_name, s.threshold, s.seq DESC
"""
_LOOKS = """
    INSERT INTO score_checks (contact_id, check_at, lane)
    SELECT DISTINCT contact_id, %s::timestamptz, 'bulk' FROM score_sides WHERE above ON CONFLICT DO NOTHING
"""
_LIVE_TEMPLATES = """
    UPDATE {double}.templates t SET live_version_id = live.live_version_id FROM templates live WHERE live.id = t.id
"""
_GONE_TAGS = """
    INSERT INTO {double}.tags (name)
    SELECT DISTINCT h.name FROM contact_changes h WHERE h.kind = 'tag' AND h.changed_at >= %(since)s
    ON CONFLICT DO NOTHING
"""


def fill(room: Scratch, asked: Asked, piece: Piece, scope: Scope, *, say: Say) -> None:
    """Everything as it was at `asked.since`, which is the time in the room; then publish the piece in it."""
    say("copying what the journey reads")
    _furnish(room, asked, scope)
    _copy_workflow(room, piece)
    last, count = 0, 0
    while people := _next(room, asked, after=last):
        count += admit(room, asked, piece, scope, people)
        last = people[-1]
        say(f"copied {count:,} contacts")
    number_on()
    with connection.cursor() as cursor:
        cursor.execute(_LOOKS, [asked.since])
        cursor.execute("ANALYZE contacts, contact_events, contact_send_log, consent_records, contact_tags")
    room.settle()  # segments are filled
    transactions.run(lambda now: _publish(piece, now))
    room.settle()


def admit(room: Scratch, asked: Asked, piece: Piece, scope: Scope, people: list[int]) -> int:
    """These contacts, as they were at the beginning of the period, with their past. Returns how many there are."""
    params = parameters(asked, piece, scope) | {"people": people}
    mine = "contact_id = ANY(%(people)s)"
    admitted = room.carry(PEOPLE.replace("{whom}", f"c.id = ANY(%(people)s) AND {LIVING}"), params)
    copy(room, "contact_identities", mine, params)
    for words in (_TAGS, _LISTS):
        room.carry(_worded(_MEMBERS, words), params)
    copy(room, "consent_records", f"{mine} AND recorded_at < %(since)s", params)
    room.carry(_PAST.replace("{clock}", asked.clock), params)
    if copy(room, "messages", f"id IN (SELECT message_id FROM contact_send_log WHERE {mine} AND {_COUNTS})", params):
        copy(room, "contact_send_log", f"{mine} AND {_COUNTS}", params)
    copy(room, "experiment_assignments", f"{mine} AND assigned_at < %(since)s", params)
    copy(
        room,
        "workflow_enrolments",
        f"{mine} AND workflow_id = %(workflow)s AND finished_at < %(since)s",
        params,
    )
    if scope.scores:
        copy(room, "lifecycle_events", f"{mine} AND occurred_at < %(since)s", params)
        room.carry(_SIDES, params)
    return admitted


def copy(room: Scratch, table: str, where: str, params: Mapping[str, Any], *, without: Collection[str] = ()) -> int:
    """Rows of a live table as they stand; `without` these columns, which keep their defaults. Numbering goes on where
    it is, far beyond."""
    names = ", ".join(name for name in room.columns(table) if name not in without)
    statement = f"INSERT INTO {{double}}.{table} ({names}) OVERRIDING SYSTEM VALUE SELECT {names} FROM {table}"
    return room.carry(f"{statement} WHERE {where} ON CONFLICT DO NOTHING", params)


def parameters(asked: Asked, piece: Piece, scope: Scope) -> dict[str, Any]:
    """What the statements over live tables are told."""
    every = scope.loud is None or scope.quiet is None
    return {
        "since": asked.since,
        "sample": round(asked.sample * 100),
        "from": asked.since - HISTORY,
        "capped_from": asked.since - CAPS,
        "workflow": piece.workflow_id,
        "slug": piece.slug,
        "types": None if every else sorted((scope.loud or frozenset()) | (scope.quiet or frozenset())),
    }


def _next(room: Scratch, asked: Asked, *, after: int) -> list[int]:
    """Contacts who were there when the period began. History that was imported knows of nobody's arrival: in it they
    are all there."""
    there = f"{KNOWN_FROM} < %(since)s" if asked.clock == RECORDED else "true"
    rows = room.ask_live(
        f"SELECT c.id FROM contacts c WHERE c.id > %(after)s AND {LIVING} AND {there}"
        f"   AND {SAMPLED.replace('{contact}', 'c.id')} ORDER BY c.id LIMIT {SLICE}",
        {"after": after, "since": asked.since, "sample": round(asked.sample * 100)},
    )
    return [contact_id for (contact_id,) in rows]


def _furnish(room: Scratch, asked: Asked, scope: Scope) -> None:
    params = {"since": asked.since, "segments": sorted(scope.segments)}
    for table in ("tags", "lists", "template_versions", "addresses"):
        if table == "template_versions":
            copy(room, "templates", "true", params, without=("live_version_id",))
        copy(room, table, "true", params)
    room.carry(_LIVE_TEMPLATES, params)
    room.carry(_GONE_TAGS, params)
    copy(
        room,
        "suppressions",
        "created_at < %(since)s AND (released_at IS NULL OR released_at >= %(since)s)",
        params,
        without=("released_at", "released_by"),
    )
    if scope.segments:
        copy(
            room,
            "segments",
            "slug = ANY(%(segments)s)",
            params,
            without=("state", "seen_from", "filled_to", "swept_to"),
        )
    if scope.scores:
        active = "state = 'active'"
        copy(room, "scoring_rulesets", active, params, without=("activated_xid", "recheck_after"))
        copy(room, "scoring_rules", f"ruleset_id IN (SELECT id FROM scoring_rulesets WHERE {active})", params)


def _copy_workflow(room: Scratch, piece: Piece) -> None:
    """Unpublished, with its versions: past enrolments, which decide re-entry, name them."""
    params = {"workflow": piece.workflow_id}
    copy(room, "workflows", "id = %(workflow)s", params, without=("live_version_id", "status", "draft_entry_id"))
    copy(room, "workflow_versions", "workflow_id = %(workflow)s", params)


def _publish(piece: Piece, now: datetime) -> None:
    publishing.save_draft(definition=dict(piece.definition), now=now)
    publishing.publish(slug=piece.slug, by="rehearsal", now=now)


def number_on() -> None:
    """The scratch's own rows have ids beyond those of any row that is copied later."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH tables AS MATERIALIZED (
                SELECT relname FROM pg_class JOIN pg_attribute a ON a.attrelid = pg_class.oid AND a.attname = 'id'
                 WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition)
            SELECT format('SELECT setval(%%L, (SELECT COALESCE(max(id), 0) + %%s FROM %%I))', seq, %s::bigint, relname)
              FROM tables CROSS JOIN LATERAL pg_get_serial_sequence(quote_ident(relname), 'id') AS seq
             WHERE seq IS NOT NULL
            """,
            [AHEAD],
        )
        for (statement,) in cursor.fetchall():
            cursor.execute(statement)


def _worded(statement: str, words: Mapping[str, str]) -> str:
    for word, meaning in words.items():
        statement = statement.replace(word, meaning)
    return statement
