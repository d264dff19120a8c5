"""What a journey's messages name and its audience lacks, asked before it is published; and whom else they are shown to
then: the seed list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from contacts.conditions import compile_condition, parse
from contacts.conditions.fragment import TRUE
from delivery.authoring import missing, seeds, templates
from delivery.authoring.missing import Report
from workflows.definition.schema import Definition


class Unreadable(ValueError):
    """The definition is none yet; validation says why."""


def reports(definition: Mapping[str, Any], *, now: datetime) -> dict[str, Report]:
    """For each message that the definition sends, by the template's slug, who of those whom its audience lets in lacks
    what it names. A few statements each, in the caller's transaction; reads only. Raises Unreadable."""
    parsed = _parsed(definition)
    audience = parsed.entry.audience
    where = TRUE if audience is None else compile_condition(parse(audience), now=now)
    ids = templates.live_version_ids(sorted(set(_named(parsed))))
    wordings = templates.wordings_of(ids.values())
    event_type = parsed.entry.trigger.event_type() or ""
    return {
        slug: missing.report([wordings[version_id]], where=where, event_type=event_type)
        for slug, version_id in sorted(ids.items())
    }


def show_to_seeds(definition: Mapping[str, Any], *, now: datetime) -> seeds.Sent:
    """Leave every language of every e-mail of the definition, and so every variant of its experiments, with the post
    office for the seed list, in the caller's transaction. Raises Unreadable, delivery's UnableToTry."""
    parsed = _parsed(definition)
    return seeds.send(sorted(set(_named(parsed, only="send_email"))), now=now)


def _parsed(definition: Mapping[str, Any]) -> Definition:
    try:
        return Definition.model_validate(definition)
    except (ValidationError, RecursionError) as error:
        raise Unreadable("the draft cannot be read") from error


def _named(definition: Definition, *, only: str = "send_") -> Iterator[str]:
    for step in definition.steps.values():
        slug = step.config.get("template")
        if step.type.startswith(only) and isinstance(slug, str):
            yield slug
