"""Definition files: one workflow, and perhaps the templates that it uses."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from delivery import templates
from workflows import publishing
from workflows.definition.problems import Problem
from workflows.definition.validation import validate

TEMPLATE_FIELDS = ("subject", "preheader", "html", "text")


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
    with transaction.atomic():
        if "workflow" in document:
            for template in _templates(document.get("templates") or []):
                templates.save_version(**template, now=now)
        workflow = publishing.save_draft(definition=definition, now=now)
        problems = validate(workflow.draft)
    version = publishing.publish(slug=workflow.slug, by=by, now=now) if publish else None
    return Imported(workflow.slug, problems, version)


def _templates(rows: Any) -> list[dict[str, str]]:
    if not isinstance(rows, list) or not all(
        isinstance(row, dict) and isinstance(row.get("slug"), str) for row in rows
    ):
        raise BadDocument("templates: expected a list of mappings with a slug each")
    return [
        {
            "slug": row["slug"],
            "name": str(row.get("name") or row["slug"]),
            **{field: str(row.get(field) or "") for field in TEMPLATE_FIELDS},
        }
        for row in rows
    ]
