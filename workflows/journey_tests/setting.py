"""What stands before a case begins: templates, lists, segments, rules, people, and the published workflow."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db import transaction

from contacts import transactions, upserting
from contacts.audiences import lists, segments
from contacts.audiences.naming import Refused
from contacts.collect.people import parse_person
from contacts.faults import Fault
from contacts.upserting import Person
from delivery.authoring import templates
from delivery.authoring.templates import BadTemplate
from scoring.rulesets import versions
from scoring.rulesets.rules import BadRules
from workflows import importing, publishing
from workflows.definition.strict import WORKFLOW_SLUG
from workflows.importing import BadDocument
from workflows.journey_tests.document import BadTestFile, Document
from workflows.models import Workflow
from workflows.scratch import Scratch

SOURCE = "api"
BY = "journey test"
_CHANNELS = {"send_sms": "sms", "send_push": "push"}
_SLUG = re.compile(WORKFLOW_SLUG)


def prepare(document: Document, room: Scratch) -> dict[str, int]:
    """Make everything at the present instant, in an empty scratch; returns who the contacts are. Contacts are there
    before the workflow is published, so what they begin with starts nothing. Raises BadTestFile, CannotPublish."""
    transactions.run(lambda now: _furnish(document, now))
    keeps_watch = bool(document.segments or document.rules)  # else nothing follows from anybody's being there
    if keeps_watch:
        room.settle()
    people = [person_of(raw, f"contacts[{position}]") for position, raw in enumerate(document.contacts)]
    made = transactions.run(lambda now: upserting.upsert(people, source=SOURCE, now=now)) if people else None
    ids: dict[str, int] = {}
    for position, raw in enumerate(document.contacts):
        contact_id = made.contact_ids[position] if made else None
        if contact_id is None:
            raise BadTestFile([Fault("refused", "the database cannot store this contact", (f"contacts[{position}]",))])
        ids[raw["id"]] = contact_id
    if keeps_watch:
        room.settle()
    try:
        publish(document.workflow)
    except BadDocument as error:
        raise BadTestFile([Fault("unsound", str(error), ("workflow",))]) from error
    room.settle()
    return ids


def publish(definition: Mapping[str, Any]) -> None:
    """As the import does: the draft, then the version. Templates and lists that it names and nobody made are empty;
    a workflow that it leads to and nobody made is live and ends at once.

    Raises CannotPublish, UnableToChange, ValueError."""
    definition = importing.translated(importing.sound(dict(definition)))

    def work(now: datetime) -> None:
        _missing_templates(definition, now)
        _missing_lists(list(_named_lists(definition)), now)
        _missing_workflows(definition, now)
        workflow = publishing.save_draft(definition=definition, now=now)
        publishing.publish(slug=workflow.slug, by=BY, now=now)

    transactions.run(work)


def person_of(raw: Mapping[str, Any], place: str) -> Person:
    """A contact as the file says it: `id` is their external id, and the time zone is taken as it stands, valid or not.
    Raises BadTestFile."""
    stated = {name: value for name, value in raw.items() if name not in ("id", "timezone")}
    stated.setdefault("external_id", raw.get("id"))
    consents = stated.get("consents")
    if isinstance(consents, dict) and isinstance(consents.get("marketing"), str):
        stated["consents"] = {**consents, "marketing": {"all": consents["marketing"]}}
    person = parse_person(stated)
    if not isinstance(person, Person):
        raise BadTestFile([fault.below(place) for fault in person])
    zone = raw.get("timezone", "")
    if zone is not None and not isinstance(zone, str):
        raise BadTestFile([Fault("type", "expected a text", (f"{place}.timezone",))])
    return replace(person, fields={**person.fields, "timezone": zone or ""}) if "timezone" in raw else person


def _furnish(document: Document, now: datetime) -> None:
    for position, template in sorted(enumerate(document.templates), key=lambda each: importing.rank(each[1])):
        _save_template(template, f"templates[{position}]", now)
    named = [*document.lists, *(slug for person in document.contacts for slug in person.get("lists") or ())]
    named += [deed.said["list"] for case in document.cases for deed in case.when if deed.kind == "add_to_list"]
    named += _named_lists([document.workflow, document.rules, document.segments])
    _missing_lists(named, now)
    _make_segments(document, now)
    _activate(document.rules, now)


def _save_template(template: Mapping[str, Any], place: str, now: datetime) -> None:
    try:
        templates.save_version(**importing.template_of(template), now=now)
    except BadDocument as error:
        raise BadTestFile([Fault("type", str(error), (place,))]) from error
    except BadTemplate as error:
        raise BadTestFile([fault.below(place) for fault in error.faults]) from error


def _missing_templates(definition: Mapping[str, Any], now: datetime) -> None:
    steps = definition.get("steps")
    named: dict[str, str] = {}
    for step in steps.values() if isinstance(steps, dict) else ():
        config = step.get("config") if isinstance(step, dict) else None
        slug = config.get("template") if isinstance(config, dict) else None
        if isinstance(slug, str) and slug:
            named.setdefault(slug, _CHANNELS.get(str(step.get("type")), "email"))
    for slug in sorted(named.keys() - templates.live_version_ids(sorted(named)).keys()):
        _save_template({"slug": slug, "channel": named[slug]}, f"templates.{slug}", now)


def _missing_workflows(definition: Mapping[str, Any], now: datetime) -> None:
    steps = definition.get("steps")
    named = set()
    for step in steps.values() if isinstance(steps, dict) else ():
        config = step.get("config") if isinstance(step, dict) else None
        slug = config.get("workflow") if isinstance(config, dict) and step.get("type") == "enter_workflow" else None
        if isinstance(slug, str) and _SLUG.match(slug):
            named.add(slug)
    there = set(Workflow.objects.filter(slug__in=named).values_list("slug", flat=True))
    for slug in sorted(named - there - {definition.get("slug")}):
        end = {"type": "exit", "config": {}, "next": {}}
        entry = {"trigger": {"type": "api"}, "re_entry": {"policy": "every_time"}}
        publishing.save_draft(
            definition={"schema": 1, "name": slug, "slug": slug, "entry": entry, "start": "end", "steps": {"end": end}},
            now=now,
        )
        publishing.publish(slug=slug, by=BY, now=now)


def _named_lists(tree: Any) -> Iterator[str]:
    """Every list that a definition or a condition names."""
    if isinstance(tree, Mapping):
        for key, inside in tree.items():
            if key in ("list", "in_list") and isinstance(inside, str):
                yield inside
            else:
                yield from _named_lists(inside)
    elif isinstance(tree, list | tuple):
        for inside in tree:
            yield from _named_lists(inside)


def _missing_lists(named: list[Any], now: datetime) -> None:
    wanted = {slug for slug in named if isinstance(slug, str)}
    for slug in sorted(lists.unknown(wanted)):
        try:
            lists.create(slug=slug, name=slug, now=now)
        except Refused as error:
            raise BadTestFile([fault.below("lists", slug) for fault in error.faults]) from error


def _make_segments(document: Document, now: datetime) -> None:
    """Each after those that its condition asks about, however they stand in the file."""
    left = list(enumerate(document.segments))
    while left:
        refused: list[Fault] = []
        later: list[tuple[int, Mapping[str, Any]]] = []
        for position, segment in left:
            try:
                with transaction.atomic():
                    segments.create(
                        slug=segment["slug"],
                        name=str(segment.get("name") or segment["slug"]),
                        condition=segment.get("condition"),
                        now=now,
                    )
            except Refused as error:
                refused += [fault.below(f"segments[{position}]") for fault in error.faults]
                later.append((position, segment))
        if len(later) == len(left):
            raise BadTestFile(refused)
        left = later


def _activate(raw: Any, now: datetime) -> None:
    if not raw:
        return
    given = raw if isinstance(raw, dict) else {"rules": raw}
    try:
        versions.activate(rules=given.get("rules"), mql_threshold=given.get("mql_threshold", 60), now=now)
    except BadRules as error:
        raise BadTestFile([Fault(p.code, p.message, (p.path,)) for p in error.problems]) from error
