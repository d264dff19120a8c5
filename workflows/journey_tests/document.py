"""What stands in a test file, read strictly. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from contacts.collect.parsing import parse_instant
from contacts.faults import Fault
from delivery.providers.sendgrid.words import EVENTS as SENDGRID_EVENTS
from workflows.definition import reading

MOST_CASES, MOST_MOMENTS = 1_000, 2_000

# kind -> (what must be said of it, what may be said)
DEEDS: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {
    "track": (frozenset({"contact", "type"}), frozenset({"properties", "event_id"})),
    "update_contact": (
        frozenset({"contact"}),
        frozenset(
            {"timezone", "attributes", "email", "phone", "locale", "region", "owner_email", "frequency_cap", "tags"}
            | {"lists", "consents"}
        ),
    ),
    "add_tag": (frozenset({"contact", "tag"}), frozenset()),
    "add_to_list": (frozenset({"contact", "list"}), frozenset()),
    "suppress": (frozenset({"contact", "reason"}), frozenset()),
    "unsubscribe": (frozenset({"contact"}), frozenset()),
    "consent": (frozenset({"contact"}), frozenset({"tracking", "marketing"})),
    "enrol": (frozenset({"contact"}), frozenset({"workflow"})),
    "remove": (frozenset({"contact"}), frozenset({"workflow"})),
    "webhook": (frozenset({"contact", "event"}), frozenset()),
    "publish": (frozenset({"definition"}), frozenset()),
}
TICK = "tick"
CHECKS: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {
    "sent": (frozenset({"contact", "template"}), frozenset({"times"})),
    "not_sent": (frozenset({"contact", "template"}), frozenset()),
    "suppressed": (frozenset({"contact", "template", "reason"}), frozenset()),
    "enrolment": (frozenset({"contact"}), frozenset({"state", "step", "reason", "workflow"})),
    "wake": (frozenset({"contact", "at"}), frozenset({"workflow"})),
    "tag": (frozenset({"contact", "tag"}), frozenset({"present"})),
    "stage": (frozenset({"contact", "stage"}), frozenset()),
    "score": (frozenset({"contact", "value"}), frozenset()),
    "count": (frozenset({"enrolments"}), frozenset({"contact", "workflow"})),
}
NEWCOMERS = frozenset({"track", "update_contact"})  # deeds that make a contact whom nobody knew, as in production
_PARTS = frozenset(
    {"workflow", "contacts", "cases", "templates", "rules", "segments", "lists", "category", "description"}
)


class BadTestFile(ValueError):
    """`faults` names every mistake by its place."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("; ".join(said(fault) for fault in faults))
        self.faults = faults


@dataclass(frozen=True)
class Moment:
    """A deed or a check: of this `kind`, at this instant. `place` is where it stands, as `cases[0].when[2]`."""

    at: datetime
    kind: str
    said: Mapping[str, Any]
    place: str


@dataclass(frozen=True)
class Case:
    name: str
    when: tuple[Moment, ...]
    then: tuple[Moment, ...]

    def instants(self) -> list[datetime]:
        return sorted({moment.at for moment in (*self.when, *self.then)})


@dataclass(frozen=True)
class Document:
    """`contacts` and the others are as they were written: whoever makes them checks them."""

    workflow: Mapping[str, Any]
    cases: tuple[Case, ...]
    contacts: tuple[Mapping[str, Any], ...] = ()
    templates: tuple[Mapping[str, Any], ...] = ()
    rules: Any = None
    segments: tuple[Mapping[str, Any], ...] = ()
    lists: tuple[str, ...] = ()

    @property
    def slug(self) -> str:
        return str(self.workflow["slug"])


@dataclass
class _Reader:
    faults: list[Fault] = field(default_factory=list)

    def wrong(self, place: str, message: str, code: str = "wrong") -> None:
        self.faults.append(Fault(code, message, (place,)))


def said(fault: Fault) -> str:
    return f"{'.'.join(map(str, fault.loc))}: {fault.msg}" if fault.loc else fault.msg


def read(text: str) -> Document:
    """Raises BadTestFile."""
    try:
        raw = reading.read(text)
    except reading.UnreadableFile as error:
        raise BadTestFile([Fault("unreadable", f"neither YAML nor JSON: {error}")]) from error
    return understand(raw)


def understand(raw: Any) -> Document:
    """The same of what was read already. Raises BadTestFile with every mistake."""
    reader = _Reader()
    if not isinstance(raw, dict):
        raise BadTestFile([Fault("type", "expected a mapping with `workflow` and `cases`")])
    for name in sorted(map(str, raw.keys() - _PARTS)):
        reader.wrong(name, f"is none of {', '.join(sorted(_PARTS))}", "unknown")
    workflow = raw.get("workflow")
    if not isinstance(workflow, dict) or not isinstance(workflow.get("slug"), str):
        reader.wrong("workflow", "expected a definition with a slug", "missing")
    people = [each for each in _mappings(reader, raw, "contacts") if _has_text(reader, each[0], each[1], "id")]
    known = [person["id"] for person, _ in people]
    for position, name in enumerate(known):
        if name in known[:position]:
            reader.wrong(f"contacts[{position}].id", f"there is a contact {name!r} already", "duplicate")
    cases = [_case(reader, case, place, frozenset(known)) for case, place in _mappings(reader, raw, "cases")]
    for position, found in enumerate(cases):
        if found.name in [before.name for before in cases[:position]]:
            reader.wrong(f"cases[{position}].name", f"there is a case {found.name!r} already", "duplicate")
    if len(cases) > MOST_CASES:
        reader.wrong("cases", f"at most {MOST_CASES:,} cases, got {len(cases):,}", "too_many")
    templates = [t for t, place in _mappings(reader, raw, "templates") if _has_text(reader, t, place, "slug")]
    segments = [s for s, place in _mappings(reader, raw, "segments") if _has_text(reader, s, place, "slug")]
    if raw.get("rules") is not None and not isinstance(raw["rules"], list | dict):
        reader.wrong("rules", "expected a list of scoring rules", "type")
    lists = raw.get("lists") or []
    if not isinstance(lists, list) or not all(isinstance(slug, str) for slug in lists):
        reader.wrong("lists", "expected a list of slugs", "type")
        lists = []
    if reader.faults:
        raise BadTestFile(reader.faults)
    assert isinstance(workflow, dict)
    return Document(
        workflow=workflow,
        cases=tuple(cases),
        contacts=tuple(person for person, _ in people),
        templates=tuple(templates),
        rules=raw.get("rules"),
        segments=tuple(segments),
        lists=tuple(lists),
    )


def _mappings(reader: _Reader, raw: Mapping[str, Any], name: str) -> Iterator[tuple[dict[str, Any], str]]:
    rows = raw.get(name)
    if rows is None:
        return
    if not isinstance(rows, list):
        reader.wrong(name, "expected a list", "type")
        return
    for position, row in enumerate(rows):
        if isinstance(row, dict):
            yield row, f"{name}[{position}]"
        else:
            reader.wrong(f"{name}[{position}]", "expected a mapping", "type")


def _has_text(reader: _Reader, row: Mapping[str, Any], place: str, name: str) -> bool:
    value = row.get(name)
    if isinstance(value, str) and value.strip():
        return True
    reader.wrong(f"{place}.{name}", "expected a text", "missing" if value is None else "type")
    return False


def _case(reader: _Reader, raw: dict[str, Any], place: str, known: Collection[str]) -> Case:
    for name in sorted(map(str, raw.keys() - {"name", "when", "then"})):
        reader.wrong(f"{place}.{name}", "is none of name, when, then", "unknown")
    _has_text(reader, raw, place, "name")
    when = _moments(reader, raw.get("when"), f"{place}.when", DEEDS)
    people = {*known, *(str(deed.said["contact"]) for deed in when if deed.kind in NEWCOMERS)}
    then = _moments(reader, raw.get("then"), f"{place}.then", CHECKS)
    if not raw.get("when") and not raw.get("then"):
        reader.wrong(place, "a case needs something under `when` or `then`", "empty")
    if len(when) + len(then) > MOST_MOMENTS:
        reader.wrong(place, f"at most {MOST_MOMENTS:,} deeds and checks", "too_many")
    for moment in (*when, *then):
        whom = moment.said.get("contact")
        if whom is not None and whom not in people:
            reader.wrong(f"{moment.place}.{moment.kind}.contact", f"there is no contact {whom!r}", "unknown_contact")
    return Case(str(raw.get("name")), tuple(sorted(when, key=lambda deed: deed.at)), tuple(then))


_Kinds = Mapping[str, tuple[frozenset[str], frozenset[str]]]


def _moments(reader: _Reader, rows: Any, place: str, kinds: _Kinds) -> list[Moment]:
    found = (_moment(reader, row, where, kinds) for row, where in _mappings(reader, {place: rows}, place))
    return [moment for moment in found if moment is not None]


def _moment(reader: _Reader, raw: dict[str, Any], place: str, kinds: _Kinds) -> Moment | None:
    before = len(reader.faults)
    at = parse_instant(raw["at"]) if isinstance(raw.get("at"), str) else None
    if not isinstance(at, datetime):
        message = at.msg if isinstance(at, Fault) else "expected an instant such as 2025-03-08T15:00:00Z"
        reader.wrong(f"{place}.at", message, "instant")
    words = [key for key in raw if key != "at"]
    names = [*kinds, *([TICK] if kinds is DEEDS else [])]
    if len(words) != 1 or words[0] not in names:
        found = ", ".join(map(str, words)) or "nothing"
        reader.wrong(place, f"expected exactly one of {', '.join(names)}; found {found}", "unknown_kind")
        return None
    kind, stated = words[0], raw[words[0]]
    if kind == TICK:
        if stated is not True:
            reader.wrong(f"{place}.tick", "expected true", "type")
        stated = {}
    elif not isinstance(stated, dict):
        reader.wrong(f"{place}.{kind}", "expected a mapping", "type")
        return None
    else:
        needed, allowed = kinds[kind]
        for name in sorted(needed - stated.keys()):
            reader.wrong(f"{place}.{kind}.{name}", "is missing", "missing")
        for name in sorted(map(str, stated.keys() - needed - allowed)):
            reader.wrong(f"{place}.{kind}.{name}", f"is none of {', '.join(sorted(needed | allowed))}", "unknown")
        for key, value in stated.items():
            if message := _value_fault(kind, key, value):
                reader.wrong(f"{place}.{kind}.{key}", message, "value")
        if kind == "consent" and not {"tracking", "marketing"} & stated.keys():
            reader.wrong(f"{place}.consent", "say tracking or marketing: granted or denied", "missing")
    if len(reader.faults) > before:
        return None
    assert isinstance(at, datetime)
    return Moment(at, kind, stated, place)


_TEXTS = frozenset({"contact", "type", "event_id", "tag", "list", "reason", "template", "workflow"})
STATES = ("pending", "active", "waiting", "completed", "exited", "failed")


def _value_fault(kind: str, name: str, value: Any) -> str:
    """Why this cannot stand there; empty where it can."""
    if name in _TEXTS:
        return "" if isinstance(value, str) and value.strip() else "expected a text"
    if (kind, name) == ("webhook", "event"):
        known = isinstance(value, str) and value.lower() in SENDGRID_EVENTS
        return "" if known else f"expected one of {', '.join(SENDGRID_EVENTS)}"
    if name in ("properties", "attributes", "definition"):
        return "" if isinstance(value, dict) else "expected a mapping"
    if kind == "consent":
        return "" if value in ("granted", "denied") else "expected granted or denied"
    if name in ("times", "enrolments"):
        return "" if type(value) is int and value >= 0 else "expected a whole number"
    if name == "present":
        return "" if isinstance(value, bool) else "expected true or false"
    if (kind, name) == ("score", "value"):
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return "" if is_number else "expected a number"
    if name == "state":
        return "" if value is None or value in STATES else f"expected one of {', '.join(STATES)}, or null"
    if name in ("step", "stage"):
        return "" if value is None or isinstance(value, str) else "expected a text or null"
    if (kind, name) == ("wake", "at"):
        instant = parse_instant(value) if isinstance(value, str) else None
        return "" if value is None or isinstance(instant, datetime) else "expected an instant or null"
    return ""
