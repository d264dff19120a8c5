"""What programs say about contacts, read strictly: one person, with every place that is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from contacts.collect import strict_json
from contacts.collect.parsing import identifier
from contacts.consent import ALL_TOPICS, CATEGORIES, DENIED, GRANTED
from contacts.faults import Fault
from contacts.identifiers import KINDS, canonical, fault
from contacts.upserting import CAP, FIELDS, Person, Topic, field_fault, name_fault

MOST_NAMES = 100  # tags, and lists, of one person
LARGEST_CAP = 1_000_000
WHOLE_MARKETING = "all"

_NAMES = ("external_id", "email")
_SAID = frozenset({*KINDS, *FIELDS, CAP, "attributes", "tags", "lists", "consents"})
# comes back when somebody sends what they were shown: an id names nobody here, and segments are by condition
_SHOWN_ONLY = frozenset({"id", "segments"})
_STATES = (GRANTED, DENIED)


def parse_person(raw: Any, *, named: bool = True) -> Person | list[Fault]:
    """One contact as `strict_json.read` gave it: `{external_id?, email?, anonymous_id?, phone?, timezone?, locale?,
    region?, owner_email?, attributes?, tags?, lists?, frequency_cap?, consents?}`, of which an identifier must be given
    unless `named` is false. A null or an empty text clears a field, but takes no identifier away. Whether there are
    such lists is for the caller to ask."""
    if flaw := strict_json.fault_in(raw, strict_json.EVENT):
        return [flaw]
    if not isinstance(raw, dict):
        return [Fault("type", "must be an object")]
    faults = [
        Fault("unknown", "is not a field of a contact; attributes take any name", (name,))
        for name in sorted(raw.keys() - _SAID - _SHOWN_ONLY)
    ]
    person = Person(
        fields=_fields(raw, faults),
        attributes=_attributes(raw, faults),
        consents=dict(_consents(_object(raw, "consents", faults), faults)),
        tags=_names(raw, "tags", faults),
        lists=_names(raw, "lists", faults),
        anonymous_id=identifier(raw, "anonymous_id", ("anonymous_id",), faults).strip(),
    )
    if person.anonymous_id and (wrong := fault("anonymous_id", person.anonymous_id)):
        faults.append(wrong)
    if named and not list(person.identifiers.given()) and not any(each.loc[:1] in _AT_NAMES for each in faults):
        faults.append(Fault("missing", "needs an external_id, email, phone or anonymous_id"))
    return faults or person


_AT_NAMES = frozenset((kind,) for kind in KINDS)


def _fields(raw: Mapping[str, Any], faults: list[Fault]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in FIELDS:
        if name not in raw:
            continue
        if name in _NAMES:
            value = identifier(raw, name, (name,), faults).strip()
            if not value:
                continue
        elif raw[name] is None:
            value = ""
        elif isinstance(raw[name], str):
            value = raw[name].strip()
        else:
            faults.append(Fault("type", "must be a text or null", (name,)))
            continue
        if value and (wrong := field_fault(name, value)):
            faults.append(wrong)
            continue
        found[name] = canonical("phone", value) if name == "phone" else value
    if CAP in raw:
        found[CAP] = _cap(raw[CAP], faults)
    return found


def _cap(raw: Any, faults: list[Fault]) -> dict[str, int | None] | None:
    """`{per_day?, per_week?}`: a whole number, or null for no limit; absent: the installation's."""
    if raw is None:
        return None
    if not isinstance(raw, dict):
        faults.append(Fault("type", "must be an object or null", (CAP,)))
        return None
    for name, value in raw.items():
        if name not in {"per_day", "per_week"}:
            faults.append(Fault("unknown", "must be per_day or per_week", (CAP, name)))
        elif value is not None and (type(value) is not int or not 0 <= value <= LARGEST_CAP):
            faults.append(Fault("range", f"must be a whole number from 0 to {LARGEST_CAP}, or null", (CAP, name)))
    return raw


def _attributes(raw: Mapping[str, Any], faults: list[Fault]) -> dict[str, Any]:
    attributes = _object(raw, "attributes", faults)
    faults += [wrong.below("attributes", name) for name in attributes if (wrong := name_fault(name))]
    return attributes


def _names(raw: Mapping[str, Any], about: str, faults: list[Fault]) -> tuple[str, ...]:
    """Tags, or the slugs of lists."""
    names = _list(raw, about, faults)
    if len(names) > MOST_NAMES:
        faults.append(Fault("length", f"must have at most {MOST_NAMES} elements", (about,)))
        return ()
    for position, name in enumerate(names):
        wrong = name_fault(name) if isinstance(name, str) else Fault("type", "must be a text")
        if wrong:
            faults.append(wrong.below(about, position))
    return tuple(name.strip() for name in names if isinstance(name, str))


def _consents(said: Mapping[str, Any], faults: list[Fault]) -> Iterator[tuple[Topic, str]]:
    """`{tracking?, marketing?: {<topic>|all: …}, data_processing?, sale?}`, each granted or denied; null: nothing."""
    for category, about in said.items():
        if category not in CATEGORIES:
            faults.append(Fault("unknown", f"must be one of {', '.join(CATEGORIES)}", ("consents", category)))
        elif category != "marketing":
            yield from _consent(category, ALL_TOPICS, about, ("consents", category), faults)
        else:
            for topic, state in _object(said, category, faults, "consents").items():
                if wrong := name_fault(topic):
                    faults.append(wrong.below("consents", category, topic))
                kept = ALL_TOPICS if topic == WHOLE_MARKETING else topic.strip()
                yield from _consent(category, kept, state, ("consents", category, topic), faults)


def _consent(
    category: str, topic: str, state: Any, loc: tuple[str, ...], faults: list[Fault]
) -> Iterator[tuple[Topic, str]]:
    if state in _STATES:
        yield (category, topic), state
    elif state is not None:
        faults.append(Fault("choice", f"must be {' or '.join(_STATES)}", loc))


def _object(raw: Mapping[str, Any], name: str, faults: list[Fault], *parents: str) -> dict[str, Any]:
    value = raw.get(name)
    if value is not None and not isinstance(value, dict):
        faults.append(Fault("type", "must be an object", (*parents, name)))
    return value if isinstance(value, dict) else {}


def _list(raw: Mapping[str, Any], name: str, faults: list[Fault]) -> list[Any]:
    value = raw.get(name)
    if value is not None and not isinstance(value, list):
        faults.append(Fault("type", "must be a list", (name,)))
    return value if isinstance(value, list) else []
