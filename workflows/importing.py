"""Definition files: one workflow, and perhaps the templates that it uses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from contacts.collect import strict_json
from delivery.authoring import templates
from delivery.authoring.templates import BadTemplate
from workflows import publishing
from workflows.definition import limits
from workflows.definition.problems import Problem
from workflows.definition.validation import validate
from workflows.journey_tests import keeping
from workflows.journey_tests.document import BadTestFile
from workflows.models import Workflow

TEMPLATE_FIELDS = ("subject", "preheader", "html", "text")
_MORE_FIELDS = ("channel", "kind", "source", "locales", "options")  # of a template, where they are given
_KINDS = ("partial", "layout", "message")  # each may name those before it


class BadDocument(ValueError):
    """The file is not a definition at all; the message says what is missing."""


@dataclass(frozen=True)
class Imported:
    slug: str
    problems: list[Problem]
    version: int | None  # the number published, or None for a draft


def import_document(document: Any, *, by: str, publish: bool, now: datetime) -> Imported:
    """Store a definition file: either the definition itself, or {"workflow": …, "templates": […]}.

    The draft is stored whatever is wrong with it; `publish` raises CannotPublish then. Raises BadDocument."""
    if not isinstance(document, dict):
        raise BadDocument("expected a mapping with the definition")
    definition = document.get("workflow", document)
    if not isinstance(definition, dict) or not isinstance(definition.get("slug"), str):
        raise BadDocument("expected a definition with a slug")
    definition = translated(sound(definition))
    with transaction.atomic():
        if "workflow" in document:
            for template in _templates(document.get("templates") or []):
                _save(template, now)
        workflow = publishing.save_draft(definition=definition, now=now, by=by, what="Imported from a file")
        if "workflow" in document and document.get("cases"):
            _keep_tests(workflow, document, by=by, now=now)
        problems = validate(workflow.draft)
    version = publishing.publish(slug=workflow.slug, by=by, now=now) if publish else None
    return Imported(workflow.slug, problems, version)


def _save(template: dict[str, Any], now: datetime) -> None:
    try:
        templates.save_version(**template, now=now)
    except BadTemplate as error:
        raise BadDocument(f"templates: {template['slug']!r}: {error}") from error


def sound(definition: dict[str, Any]) -> dict[str, Any]:
    """The definition as JSON has it: YAML can say numbers and texts that neither JSON nor PostgreSQL can hold. Raises
    BadDocument."""
    if not (fault := limits.fault_of(definition)):
        definition = strict_json.read(json.dumps(definition).encode())
        fault = limits.fault_of(definition)
    if fault:
        raise BadDocument(f"{'.'.join(str(part) for part in fault.loc) or 'the definition'} {fault.msg}")
    return definition


def _keep_tests(workflow: Workflow, document: dict[str, Any], *, by: str, now: datetime) -> None:
    try:
        keeping.keep(workflow, document, by=by, now=now)
    except BadTestFile as error:
        raise BadDocument(str(error)) from error


def translated(definition: dict[str, Any]) -> dict[str, Any]:
    """The definition with `allow_re_entry` (in it or in its entry) said as a policy: true lets in again whoever has
    left. Where the policy stands there, too, or the value is no answer, nothing is translated: validation will ask."""
    entry = definition.get("entry")
    if not isinstance(entry, dict) or "re_entry" in entry:
        return definition
    for place in (definition, entry):
        if isinstance(place.get("allow_re_entry"), bool):
            policy = "after_exit" if place["allow_re_entry"] else "never"
            kept = {key: value for key, value in entry.items() if key != "allow_re_entry"}
            rest = {key: value for key, value in definition.items() if key != "allow_re_entry"}
            return {**rest, "entry": {**kept, "re_entry": {"policy": policy}}}
    return definition


def _templates(rows: Any) -> list[dict[str, Any]]:
    """What `templates.save_version` takes; layouts and partials first, however they stand in the file."""
    if not isinstance(rows, list) or not all(
        isinstance(row, dict) and isinstance(row.get("slug"), str) for row in rows
    ):
        raise BadDocument("templates: expected a list of mappings with a slug each")
    return sorted((template_of(row) for row in rows), key=rank)


def template_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """One template of a file as `templates.save_version` takes it. Raises BadDocument."""
    more = {field: row[field] for field in _MORE_FIELDS if row.get(field)}
    for field, kind in (("channel", str), ("kind", str), ("source", dict), ("locales", dict), ("options", dict)):
        if not isinstance(more.get(field, kind()), kind):
            raise BadDocument(f"templates: {field} of {row['slug']!r} is no {'text' if kind is str else 'mapping'}")
    return {
        "slug": row["slug"],
        "name": str(row.get("name") or row["slug"]),
        **{field: str(row.get(field) or "") for field in TEMPLATE_FIELDS},
        **more,
    }


def rank(row: Mapping[str, Any]) -> int:
    """Layouts and partials are made before what names them."""
    kind = row.get("kind")
    return _KINDS.index(kind) if kind in _KINDS else len(_KINDS)
