"""How the tests of this folder make contacts and events, and ask PostgreSQL whether a condition holds."""

from __future__ import annotations

import json
from datetime import datetime

from django.db import connection

from contacts.conditions import Condition, compile_condition, parse

EVERYWHERE = frozenset({"contact", "event", "trigger"})


def make_contact(**columns: object) -> int:
    """A row of contacts; every column that is not named is as empty as the table allows."""
    values = {"attributes": {}, **columns}
    values["attributes"] = json.dumps(values["attributes"])
    names, slots = ", ".join(values), ", ".join(["%s"] * len(values))
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO contacts ({names}) VALUES ({slots}) RETURNING id", list(values.values()))
        return cursor.fetchone()[0]


def add_event(
    contact_id: int,
    kind: str,
    at: datetime,
    *,
    properties: dict | None = None,
    processed: bool = True,
    recorded_at: datetime | None = None,
) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO contact_events (contact_id, recorded_contact_id, type, occurred_at, recorded_at, properties, "
            "source, processed, key_hash) VALUES (%s, %s, %s, %s, %s, %s, 'api', %s, '') RETURNING id",
            [contact_id, contact_id, kind, at, recorded_at or at, json.dumps(properties or {}), processed],
        )
        return cursor.fetchone()[0]


def add_tag(contact_id: int, name: str, at: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO tags (name) VALUES (%s) ON CONFLICT DO NOTHING", [name])
        cursor.execute(
            "INSERT INTO contact_tags (contact_id, tag_id, added_at) SELECT %s, id, %s FROM tags WHERE name = %s",
            [contact_id, at, name],
        )


def holds(tree: dict, contact_id: int, now: datetime) -> bool | None:
    """The value of a condition of scope contact for one contact. None would be a fault of the compiler."""
    text, params = compile_condition(parse(tree), now=now)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {text} FROM contacts AS c WHERE c.id = %s", [*params, contact_id])
        return cursor.fetchone()[0]


def holds_for(condition: Condition, now: datetime, *, contact: dict, event: dict, trigger: dict) -> bool | None:
    """The same for a contact, an event and an entry event that are only made up for the question.

    `contact` and `event` map columns to values (dicts become jsonb); `trigger` is what an enrolment keeps."""
    rows, params = [], []
    for alias, columns in (("c", contact), ("e", event), ("t", {"trigger": trigger})):
        slots = ", ".join(f"%s::{_type(value)} AS {name}" for name, value in columns.items())
        rows.append(f"(SELECT {slots}) AS {alias}")
        params += [json.dumps(value) if isinstance(value, dict) else value for value in columns.values()]
    text, values = compile_condition(condition, now=now)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {text} FROM {', '.join(rows)}", [*values, *params])
        return cursor.fetchone()[0]


def _type(value: object) -> str:
    if isinstance(value, dict):
        return "jsonb"
    return {datetime: "timestamptz", int: "bigint"}.get(type(value), "text")
