"""What there is to ask about: every field with its operators, and what was seen of attributes, events and names. It
drives the condition editor of the admin, and anybody else who draws one."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

from contacts.conditions.builtin import NODES
from contacts.conditions.explain import TIMES
from contacts.conditions.fields import EVENT_COLUMNS, FAMILIES, FIELDS, Field, UnknownField, resolve, resolve_path
from contacts.conditions.operators import COUNT_OPERATORS, OPERATORS, Operator
from contacts.conditions.tree import MAX_COUNT, MAX_DEPTH, MAX_LIST, MAX_NODES, MAX_TEXT, Target

SAMPLED = 500  # newest contacts whose attributes are looked at
REMEMBERED = 10.0  # seconds for which one process keeps what it saw of them
MOST = 500  # names of one kind that are offered; whoever draws them lets people write any other
MOST_PROPERTIES = 60  # of one type of event
SHARED_BY = 3  # contacts of the sample who have the same value: what is one person's own is not offered to others
MOST_VALUES = 12
LONGEST_VALUE = 60

Choice = tuple[str, str]  # value, label

_SCOPE = frozenset({"contact", "event", "trigger"})
_JSON_TYPES = {"string": "text", "array": "list"}  # the rest is called as in JSON

_SEEN_VALUES = """
WITH recent AS (
    SELECT jsonb_build_object(
               'attributes', CASE WHEN jsonb_typeof(attributes) = 'object' THEN attributes ELSE '{}' END,
               'contact', jsonb_build_object(
                   'timezone', timezone, 'locale', locale, 'region', region, 'owner_email', owner_email)) AS spaces
      FROM contacts WHERE merged_into_id IS NULL AND erased_at IS NULL ORDER BY created_at DESC, id DESC LIMIT %s),
top AS (
    SELECT space.key AS space, ARRAY[inside.key] AS keys, inside.value
      FROM recent, jsonb_each(spaces) space, jsonb_each(space.value) inside),
seen AS (
    SELECT space, keys, value FROM top WHERE jsonb_typeof(value) <> 'object'
    UNION ALL
    SELECT space, keys || inside.key, inside.value
      FROM top, jsonb_each(CASE WHEN jsonb_typeof(top.value) = 'object' THEN top.value ELSE '{}' END) inside),
typed AS (
    SELECT space, keys, value,
           CASE WHEN instant_of(value) IS NOT NULL THEN 'instant' ELSE jsonb_typeof(value) END AS type
      FROM seen WHERE value <> 'null'),
shared AS (
    SELECT space, keys, value #>> '{}' AS value,
           row_number() OVER (PARTITION BY space, keys ORDER BY count(*) DESC, value) AS place
      FROM typed WHERE type = 'string' AND length(value #>> '{}') BETWEEN 1 AND %s
     GROUP BY space, keys, typed.value HAVING count(*) >= %s)
SELECT space, keys, array_agg(DISTINCT type),
       (SELECT array_agg(shared.value ORDER BY shared.place) FROM shared
         WHERE shared.space = typed.space AND shared.keys = typed.keys AND shared.place <= %s)
  FROM typed GROUP BY space, keys ORDER BY count(*) DESC, space, keys LIMIT %s
"""

_SEEN_EVENTS = """
SELECT type.event_type, property.names
  FROM (SELECT event_type FROM seen_events WHERE property = '' ORDER BY last_seen_at DESC, event_type LIMIT %s) type
  LEFT JOIN LATERAL (
       SELECT jsonb_object_agg(name, types ORDER BY name) AS names
         FROM (SELECT s.property AS name, jsonb_agg(s.value_type ORDER BY s.value_type) AS types
                 FROM seen_events s WHERE s.event_type = type.event_type AND s.property <> ''
                GROUP BY s.property ORDER BY max(s.last_seen_at) DESC, s.property LIMIT %s) latest) property ON true
 ORDER BY type.event_type
"""


Seen = tuple[str, list[str], list[str], list[str] | None]  # space, keys, JSON types, values that several share


@dataclass
class _Memory:
    """What one process saw of the newest contacts, and until when it stands."""

    rows: Sequence[Seen] = ()
    until: float = 0.0


_memory = _Memory()
_choices: dict[str, Callable[[], Iterable[Choice]]] = {}


def register_choices(key: str, choices: Callable[[], Iterable[Choice]]) -> None:
    """What a registered field or node may sensibly be compared with, as pairs of a value and its label; called from
    `AppConfig.ready()`. They are suggestions: the grammar takes any other value, too."""
    _choices[key] = choices


def forget() -> None:
    """Look at the newest contacts afresh the next time."""
    _memory.until = 0.0


def describe() -> dict[str, Any]:
    """Everything that a condition may ask about here, as JSON:

    `fields` [{field, label, type, operators, choices}] of a contact; `attributes` [{field, label, types, choices}] seen
    in the newest contacts (`types`: text, number, boolean, list, instant); `events` [{type, properties: [{field, label,
    types}]}] seen lately, and `event_fields` of every event; `nodes` [{key, words, choices}]; `operators` [{name,
    words, instant_words, takes, types}], whose type `json` is that of attributes and properties; `counts` [{name,
    words}]; `limits`. A `field` is a text, or a list where a text would mean something else. A constant number of
    statements."""
    seen = _seen()
    shared = {keys[0]: values for space, keys, _, values in seen if space == "contact"}
    return {
        "fields": [
            {
                "field": name,
                "label": field.label,
                "type": field.type,
                "operators": [operator.name for operator in _paired() if field.type in operator.sql],
                "choices": _chosen(name) or _as_json((value, value) for value in shared.get(name) or ()),
            }
            for name, field in _fields()
        ],
        "attributes": [
            {
                "field": field,
                "label": ".".join(keys),
                "types": _types(types),
                "choices": _as_json((value, value) for value in values or ()),
            }
            for space, keys, types, values in seen
            if space == "attributes" and (field := _spelt("attributes", keys)) is not None
        ],
        "events": [{"type": type, "properties": _properties(names or {})} for type, names in _events()],
        "event_fields": [
            {"field": f"event.{name}", "label": name.replace("_", " "), "type": type}
            for name, type in EVENT_COLUMNS.items()
        ],
        "nodes": [
            {"key": key, "words": kind.sentence("").replace("“”", "").strip(), "choices": _chosen(key)}
            for key, kind in sorted(NODES.items())
        ],
        "operators": [
            {
                "name": operator.name,
                "words": operator.words,
                "instant_words": operator.instant_words or operator.words,
                "takes": operator.takes,
                "types": list(operator.sql),
            }
            for operator in _paired()
        ],
        "counts": [{"name": name, "words": TIMES[name].format(times="").strip()} for name in COUNT_OPERATORS],
        "limits": {"depth": MAX_DEPTH, "nodes": MAX_NODES, "list": MAX_LIST, "text": MAX_TEXT, "count": MAX_COUNT},
    }


def _fields() -> list[tuple[str, Field]]:
    """Every field with the name that conditions call it by, in the order of these."""
    members = (
        (f"{prefix}.{name}", family.member(name)) for prefix, family in FAMILIES.items() for name in family.names()
    )
    return sorted([*FIELDS.items(), *members], key=lambda named: named[0])


def _paired() -> list[Operator]:
    """Every operator, each negative one right after what it negates: they share their templates."""
    positive = [operator for operator in OPERATORS.values() if not operator.negated]
    negative = {id(operator.sql): operator for operator in OPERATORS.values() if operator.negated}
    return [each for one in positive for each in (one, negative.get(id(one.sql))) if each is not None]


def _seen() -> Sequence[Seen]:
    if time.monotonic() >= _memory.until:
        with connection.cursor() as cursor:
            cursor.execute(_SEEN_VALUES, [SAMPLED, LONGEST_VALUE, SHARED_BY, MOST_VALUES, MOST])
            _memory.rows = cursor.fetchall()
        _memory.until = time.monotonic() + REMEMBERED
    return _memory.rows


def _events() -> Sequence[tuple[str, Mapping[str, list[str]] | None]]:
    with connection.cursor() as cursor:
        cursor.execute(_SEEN_EVENTS, [MOST, MOST_PROPERTIES])
        return [(type, json.loads(names) if isinstance(names, str) else names) for type, names in cursor.fetchall()]


def _properties(names: Mapping[str, list[str]]) -> list[dict[str, Any]]:
    return [
        {"field": field, "label": name, "types": _types(types)}
        for name, types in sorted(names.items())
        if (field := _spelt("event", [name])) is not None
    ]


def _types(seen: Iterable[str]) -> list[str]:
    return sorted({_JSON_TYPES.get(type, type) for type in seen if type and type != "null"})


def _spelt(space: str, keys: Sequence[str]) -> str | list[str] | None:
    """The shortest way to name this value; None where it cannot be named (a key that is empty, or far too long)."""
    try:
        meant = resolve_path([space, *keys], _SCOPE)
    except UnknownField:
        return None
    name = ".".join(keys)
    for spelling in (*([name] if space == "attributes" else []), f"{space}.{name}"):
        if _means(spelling, meant):
            return spelling
    return [space, *keys]


def _means(name: str, target: Target) -> bool:
    try:
        return resolve(name, _SCOPE) == target
    except UnknownField:
        return False


def _chosen(key: str) -> list[dict[str, str]]:
    return _as_json(_choices[key]()) if key in _choices else []


def _as_json(choices: Iterable[Choice]) -> list[dict[str, str]]:
    return [{"value": value, "label": label} for value, label in choices]


def _named(sql: str) -> Callable[[], Iterable[Choice]]:
    def read() -> Iterable[Choice]:
        with connection.cursor() as cursor:
            cursor.execute(sql, [MOST])
            return cursor.fetchall()

    return read


register_choices("has_tag", _named("SELECT name, name FROM tags ORDER BY name LIMIT %s"))
register_choices("in_list", _named("SELECT slug, name FROM lists ORDER BY name, slug LIMIT %s"))
register_choices("in_segment", _named("SELECT slug, name FROM segments ORDER BY name, slug LIMIT %s"))
