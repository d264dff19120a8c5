"""Set fields and attributes of the contact: to what the definition says, or to what the entry event brought."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from contacts import upserting
from contacts.collect.people import parse_person
from contacts.conditions.fields import FIELDS, RESERVED
from contacts.faults import Fault
from contacts.identifiers import KINDS
from contacts.upserting import CAP, Person
from workflows.definition import phrases
from workflows.definition.problems import Problem
from workflows.definition.references import MISSING, filled, is_reference, reference_problems
from workflows.definition.shown import Shown
from workflows.definition.strict import Strict
from workflows.steps.base import Advance, Cohort, Outcome, StepType

SETTABLE = frozenset({*upserting.FIELDS, CAP}) - frozenset(KINDS)
_PREFIX = "attributes."


class UpdateContactConfig(Strict):
    """`set`: a field of the contact (timezone, locale, region, owner_email, frequency_cap), an attribute by its name or
    as `attributes.NAME`, or `attributes` with several of them. A null clears a field and removes an attribute;
    {"ref": "trigger.NAME"} takes the value from the entry event, and changes nothing where that has none."""

    set: Annotated[
        dict[str, Any],
        Field(min_length=1, max_length=100),
        Shown(
            "Set",
            control="contact_fields",
            help="“Nothing” clears a field or takes an attribute away. “From the entry event” takes the value of that "
            "property, and changes nothing where the event has none.",
        ),
    ]


@dataclass(frozen=True)
class Update:
    contact_id: int
    person: Person
    source: str
    lane: str

    @classmethod
    def apply(cls, effects: list[Update], now: datetime) -> None:
        """One call a workflow: a batch has few of them."""
        sources: dict[str, list[Update]] = {}
        for effect in effects:
            sources.setdefault(effect.source, []).append(effect)
        for source, mine in sorted(sources.items()):
            people = [effect.person for effect in mine]
            upserting.say([effect.contact_id for effect in mine], people, source=source, now=now, lane=effects[0].lane)


@dataclass(frozen=True)
class Prepared:
    """`person`: what is the same for everybody, read once; None where something comes from the entry event."""

    wanted: Mapping[str, Any]
    person: Person | None


class UpdateContact(StepType):
    key = "update_contact"
    label = "Update contact"
    group, icon = "contact", "edit_square"
    hint = "Set fields and attributes"
    Config = UpdateContactConfig

    def problems(self, config: UpdateContactConfig, step: str) -> Iterable[Problem]:
        for name, value in config.set.items():
            if is_reference(value):
                yield from reference_problems(value, step, f"config.set.{name}")
            if hint := _not_settable(name):
                yield Problem(step, f"config.set.{name}", "unknown_field", hint)
        flat = _flat(config.set)
        for name, value in flat.items():
            if is_reference(value) and not is_reference(config.set.get(name)):
                yield from reference_problems(value, step, f"config.set.{name}")
        constants = {name: value for name, value in flat.items() if not is_reference(value) and not _not_settable(name)}
        found = _person(constants)
        for fault in found if isinstance(found, list) else ():
            place = ".".join(str(part) for part in fault.loc)
            yield Problem(step, f"config.set.{place}", fault.code, f"{place}: {fault.msg}")

    def sentence(self, config: UpdateContactConfig) -> str:
        return f"Update the contact: {phrases.said(config.set)}"

    def prepare(self, config: UpdateContactConfig) -> Prepared:
        wanted = _flat(config.set)
        found = None if any(map(is_reference, wanted.values())) else _person(wanted)
        return Prepared(wanted, found if isinstance(found, Person) else None)

    def run(self, cohort: Cohort, prepared: Prepared, now: datetime) -> list[Outcome]:
        source = f"workflow:{cohort.workflow_slug}"
        outcomes: list[Outcome] = []
        for member in cohort.members:
            person = prepared.person
            detail: dict[str, Any] = {}
            if person is None:
                person, detail = _of_event(prepared.wanted, member.trigger)
            effects = (Update(member.contact_id, person, source, cohort.lane),) if _says(person) else ()
            outcomes.append(Advance(detail=detail, effects=effects))
        return outcomes


def _not_settable(name: str) -> str:
    """Why a step cannot set it; empty if it can."""
    if name in KINDS:
        return f"{name} says who the contact is; a step does not change that"
    if name in {"tags", "lists", "lifecycle_stage"}:
        return f"there are steps of their own for {name.replace('_', ' ')}"
    if name in SETTABLE or name == "attributes" or name.startswith(_PREFIX):
        return ""
    if name in RESERVED or name in FIELDS:
        return f"{name} cannot be set; an attribute of this name is {_PREFIX}{name}"
    return ""


def _flat(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Everything under one name: fields as they are called, attributes as `attributes.NAME`."""
    result: dict[str, Any] = {}
    for name, value in wanted.items():
        if name == "attributes" and isinstance(value, Mapping) and not is_reference(value):
            result |= {_PREFIX + inside: each for inside, each in value.items()}
        elif name in SETTABLE or name == "attributes" or name.startswith(_PREFIX):
            result[name] = value
        else:
            result[_PREFIX + name] = value
    return result


def _person(wanted: Mapping[str, Any]) -> Person | list[Fault]:
    """As the API reads what is said of a contact."""
    raw: dict[str, Any] = {name: value for name, value in wanted.items() if not name.startswith(_PREFIX)}
    attributes = {name.removeprefix(_PREFIX): value for name, value in wanted.items() if name.startswith(_PREFIX)}
    if "attributes" in raw:
        return [Fault("type", "must be an object", ("attributes",))]
    return parse_person({**raw, "attributes": attributes}, named=False)


def _of_event(wanted: Mapping[str, Any], trigger: Mapping[str, Any]) -> tuple[Person, dict[str, Any]]:
    """What is said of this contact, and what of it could not be: the event has no such value, or the value cannot be
    this field's. The rest is said all the same."""
    values = {name: filled(value, trigger) for name, value in wanted.items()}
    missing = sorted(name for name, value in values.items() if value is MISSING)
    given = {name: value for name, value in values.items() if value is not MISSING}
    found = _person(given)
    refused: list[str] = []
    if isinstance(found, list):
        refused = sorted(name for name in given if isinstance(_person({name: given[name]}), list))
        found = _person({name: value for name, value in given.items() if name not in refused})
    detail: dict[str, Any] = {"missing": missing} if missing else {}
    if refused or isinstance(found, list):
        detail["refused"] = refused or sorted(given)
    return (found if isinstance(found, Person) else Person(fields={})), detail


def _says(person: Person) -> bool:
    return bool(person.fields or person.attributes)
