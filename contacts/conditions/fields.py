"""The catalogue: every name that a comparison may ask about, its type, and where its value stands. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from contacts.conditions.fragment import Sql
from contacts.conditions.tree import Target

TYPES = ("text", "number", "boolean", "instant", "json")
MAX_NAME = 200
MAX_KEYS = 8


@dataclass(frozen=True)
class Field:
    """A named thing to ask about a contact.

    `sql(alias, now)` gives a scalar expression over `alias`, a row of contacts; its SQL type fits `type` (text, any
    numeric, boolean, timestamptz, jsonb); NULL, and the empty text, mean that the field is missing. `stored` is for
    NOT NULL columns only: it lets a comparison stay bare, so that an index can serve it. `label` stands in sentences.
    `reads` and `moves_with_time` tell segments when to look again: see `contacts.conditions.reading`.
    """

    name: str
    type: str
    sql: Callable[[str, datetime], Sql]
    label: str
    stored: bool = False
    reads: frozenset[str] = frozenset({"field"})
    moves_with_time: bool = False


@dataclass(frozen=True)
class Family:
    """Fields of one kind whose names are data: `score.fit`, `score.engagement`.

    `names()` says which there are now; only those may be asked about, and a name that was there stays, so that what was
    written with it can still be read. `member(name)` gives the field of one of them, whose own `name` is not used."""

    prefix: str
    names: Callable[[], Collection[str]]
    member: Callable[[str], Field]


class UnknownField(LookupError):
    """No such name, or not here. `code` is unknown_field or out_of_scope."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


FIELDS: dict[str, Field] = {}
FAMILIES: dict[str, Family] = {}

# Names that a bare word may not take, since a contact shows something of that name which is not an attribute, or an
# upper floor will register it. `attributes.NAME` reaches an attribute of any name.
RESERVED = {
    "anonymous_id": "",
    "attributes": "name the attribute: attributes.NAME",
    "consents": "",
    "contact": "the fields of a contact are named without a prefix",
    "erased_at": "",
    "event": "name the property: event.NAME",
    "frequency_cap": "",
    "id": "",
    "lifecycle_stage": "",
    "lists": 'use {"in_list": …}',
    "merged_into": "",
    "public_id": "",
    "score": "",
    "segments": 'use {"in_segment": …}',
    "tags": 'use {"has_tag": …}',
    "trigger": "name the property: trigger.NAME",
    "updated_at": "",
}
EVENT_COLUMNS = {"type": "text", "occurred_at": "instant"}
EVENT_SPACES = ("event", "trigger")
SPACES = ("attributes", *EVENT_SPACES)


def register_field(field: Field) -> None:
    """Add a field; called once per field from `AppConfig.ready()`. Raises ValueError for a name or type that cannot be
    a field's, or one that is taken."""
    if field.type not in TYPES:
        raise ValueError(f"{field.name}: a field's type is one of {', '.join(TYPES)}")
    if not field.name.isidentifier() or field.name in ("attributes", "event", "trigger"):
        raise ValueError(f"{field.name!r} cannot be the name of a field")
    if field.name in FIELDS:
        raise ValueError(f"the field {field.name} is registered already")
    FIELDS[field.name] = field


def register_family(family: Family) -> None:
    """Add fields whose names are data; called once per family from `AppConfig.ready()`. A field may be called like the
    prefix. Raises ValueError for a prefix that cannot be one, or that is taken."""
    if not family.prefix.isidentifier() or family.prefix in SPACES:
        raise ValueError(f"{family.prefix!r} cannot be the prefix of fields")
    if family.prefix in FAMILIES:
        raise ValueError(f"fields of the prefix {family.prefix} are registered already")
    FAMILIES[family.prefix] = family


def field_of(target: Target) -> Field:
    """The registered field that a target of the space `contact` reads."""
    head, *rest = target.keys
    return FAMILIES[head].member(".".join(rest)) if rest else FIELDS[head]


def resolve(name: str, scope: frozenset[str]) -> Target:
    """What `name` means where the fields of `scope` (contact, event, trigger) may be read. Raises UnknownField."""
    keys = tuple(name.split("."))
    if not _readable(keys):
        raise UnknownField(
            "unknown_field",
            f"a field's name is at most {MAX_NAME} printable characters in at most {MAX_KEYS} parts with a dot between",
        )
    head, rest = keys[0], keys[1:]
    if head in EVENT_SPACES and rest:
        return _of_an_event(head, rest, scope)
    if head == "attributes" and rest:
        return Target("attributes", rest, "json")
    if name in FIELDS:
        return Target("contact", keys, FIELDS[name].type, FIELDS[name].stored)
    if head in FAMILIES and rest and ".".join(rest) in FAMILIES[head].names():
        return Target("contact", keys, FAMILIES[head].member(".".join(rest)).type)
    if head in FAMILIES or head in FIELDS or head in RESERVED:
        hint = RESERVED.get(name) or f"an attribute of this name is attributes.{name}"
        raise UnknownField("unknown_field", f"unknown field {name}: {hint}")
    return Target("attributes", keys, "json")


def resolve_path(path: Sequence[str], scope: frozenset[str]) -> Target:
    """The same for a path whose parts stand alone: whose value it is (attributes, event, trigger), then the keys just
    as they are stored. So a key may hold a dot, and an event's property may be called `type`. Raises UnknownField."""
    keys = tuple(path)
    if len(keys) < 2 or keys[0] not in SPACES or not _readable(keys):
        raise UnknownField(
            "unknown_field",
            f"a field as a list is one of {', '.join(SPACES)}, then 1 to {MAX_KEYS - 1} keys, at most {MAX_NAME} "
            "printable characters in all",
        )
    if keys[0] in EVENT_SPACES:
        return _of_an_event(keys[0], keys[1:], scope, properties_only=True)
    return Target("attributes", keys[1:], "json")


def operand(target: Target, *, contact: str, event: str, trigger: str, now: datetime, attributes: str = "") -> Sql:
    """The value of `target` as an SQL expression over the given aliases; `attributes` takes the place of the contact's
    column."""
    if target.space == "contact":
        return field_of(target).sql(contact, now)
    if target.space == "attributes":
        return _path(attributes or f"{contact}.attributes", target.keys)
    if target.space == "trigger":
        # the entry event as the enrolment keeps it: its own type and time beside its properties
        return _path(f"{trigger}.trigger", target.keys if target.own else ("properties", *target.keys))
    if target.stored:
        return Sql(f"{event}.{target.keys[0]}", [])
    return _path(f"{event}.properties", target.keys)


def label(target: Target) -> str:
    """How sentences call it, without saying whose it is."""
    if target.space == "contact":
        return field_of(target).label
    name = ".".join(target.keys)
    shadowed = target.space in EVENT_SPACES and name in EVENT_COLUMNS and not target.own
    return f"property “{name}”" if shadowed else name


def _readable(keys: tuple[str, ...]) -> bool:
    name = ".".join(keys)
    return all(keys) and len(name) <= MAX_NAME and len(keys) <= MAX_KEYS and name.isprintable()


def _of_an_event(space: str, keys: tuple[str, ...], scope: frozenset[str], *, properties_only: bool = False) -> Target:
    if space not in scope:
        whose = "the event at hand" if space == "event" else "the entry event"
        raise UnknownField("out_of_scope", f"there is no {space}.{keys[0]} here: {whose} cannot be asked in this place")
    if properties_only or len(keys) > 1 or keys[0] not in EVENT_COLUMNS:
        return Target(space, keys, "json")
    if space == "event":
        return Target("event", keys, EVENT_COLUMNS[keys[0]], stored=True, own=True)
    return Target("trigger", keys, "json", own=True)


def _path(column: str, keys: tuple[str, ...]) -> Sql:
    """A path through JSON objects. The keys are text, so a number never picks an item of a list."""
    return Sql(f"({column}{' -> %s::text' * len(keys)})", list(keys))


def _column(name: str) -> Callable[[str, datetime], Sql]:
    return lambda alias, now: Sql(f"{alias}.{name}", [])


for _name, _type, _label in (
    ("email", "text", "email"),
    ("external_id", "text", "external id"),
    ("phone", "text", "phone"),
    ("timezone", "text", "time zone"),
    ("locale", "text", "locale"),
    ("region", "text", "region"),
    ("owner_email", "text", "owner’s email"),
    ("created_at", "instant", "creation date"),
):
    register_field(Field(_name, _type, _column(_name), _label, stored=True))
