"""The cases that are kept with a journey, and the file that they make together with its draft."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from delivery.authoring import templates
from delivery.authoring.templates import Wording
from workflows.journey_tests import document
from workflows.models import JourneyTests, Workflow

PARTS = ("contacts", "lists", "segments", "rules", "cases")
_WORDS = ("subject", "preheader", "html", "text")


def kept(workflow_id: int) -> Mapping[str, Any]:
    """Empty where nobody wrote any."""
    found = JourneyTests.objects.filter(workflow_id=workflow_id).values_list("document", flat=True).first()
    return found or {}


def keep(workflow: Workflow, stated: Mapping[str, Any], *, by: str, now: datetime) -> None:
    """Store the parts of a file that are tests, in the caller's transaction; nothing else of it. Raises BadTestFile
    where they cannot be read."""
    tests = {part: stated[part] for part in PARTS if stated.get(part)}
    document.understand({"workflow": {"slug": workflow.slug}, **tests})
    JourneyTests.objects.update_or_create(
        workflow=workflow, defaults={"document": tests, "changed_at": now, "changed_by": by}
    )


def file_of(workflow: Workflow, stated: Mapping[str, Any]) -> dict[str, Any]:
    """The whole file: these tests, the draft, and the templates that it names as they are now."""
    steps = workflow.draft.get("steps")
    configs = (
        [step.get("config") for step in steps.values() if isinstance(step, dict)] if isinstance(steps, dict) else []
    )
    named = {config.get("template") for config in configs if isinstance(config, dict)}
    slugs = sorted(slug for slug in named if isinstance(slug, str))
    version_ids = templates.live_version_ids(slugs)
    wordings = templates.wordings_of(list(version_ids.values()))
    return {
        "workflow": workflow.draft,
        "templates": [
            {"slug": slug, **_words(wordings[version_id])} for slug, version_id in sorted(version_ids.items())
        ],
        **{part: stated[part] for part in PARTS if stated.get(part)},
    }


def _words(wording: Wording) -> dict[str, Any]:
    """What a template says, as it is rendered: layouts and partials are in it already."""
    said: dict[str, Any] = {part: getattr(wording.default, part) for part in _WORDS}
    if wording.locales:
        said["locales"] = {locale: vars(words) for locale, words in wording.locales.items()}
    return said | ({"options": dict(wording.options)} if wording.options else {})
