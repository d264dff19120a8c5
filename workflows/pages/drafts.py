"""A draft as the text editor sends it: YAML or JSON, and a definition whose problems are shown at their place."""

from __future__ import annotations

import json
import re
from typing import Any

import yaml

from contacts.collect import strict_json
from workflows import importing
from workflows.definition import places, reading
from workflows.definition.places import Span
from workflows.definition.problems import Problem
from workflows.definition.validation import validate
from workflows.steps import registry

LARGEST = 1_000_000  # characters
_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,99}")


class BadDraft(ValueError):
    """This text cannot be stored as a draft; the message says why. `offset`: where the reading stopped, where known."""

    def __init__(self, message: str, offset: int | None = None) -> None:
        super().__init__(message)
        self.offset = offset


def read_draft(text: str, *, anything: bool = False, form: str = "json") -> dict[str, Any]:
    """The definition in the text; `anything`: also one that does not say who it is; `form`: one of `writing.FORMATS`.
    Raises BadDraft."""
    if len(text) > LARGEST:
        raise BadDraft("This is too long for a journey.")
    definition = _from_json(text) if form == "json" else _from_yaml(text)
    fault = strict_json.fault_in(definition, strict_json.DOCUMENT)
    if fault is not None:
        raise BadDraft(f"{'.'.join(str(part) for part in fault.loc) or 'The text'} {fault.msg}.")
    if not isinstance(definition, dict):
        signs = ": it begins with { and ends with }" if form == "json" else " of names and values: “slug: my-journey”"
        raise BadDraft(f"A definition is an object{signs}.")
    if not anything and not _SLUG.fullmatch(str(definition.get("slug", ""))):
        raise BadDraft(
            "The definition needs a slug, the short name that never changes: small letters, digits, hyphens, such as "
            "“my-journey”."
        )
    return definition


def _from_yaml(text: str) -> Any:
    try:
        document = reading.read(text)
        return importing.sound(document) if isinstance(document, dict) else document
    except reading.UnreadableFile as error:
        mark = getattr(error.__cause__, "problem_mark", None) if isinstance(error.__cause__, yaml.YAMLError) else None
        said = str(error)
        where = places.offset(text, mark.index) if mark else None
        raise BadDraft(f"{said[:1].upper()}{said[1:]}. This is not YAML.", where) from error
    except importing.BadDocument as error:
        raise BadDraft(f"{error}.") from error


def _from_json(text: str) -> Any:
    try:
        json.loads(text)  # for the place of a mistake, which the strict reader does not tell
    except json.JSONDecodeError as error:
        raise BadDraft(f"Line {error.lineno}, column {error.colno}: this is not JSON ({error.msg.lower()}).") from error
    except (ValueError, RecursionError):
        pass  # the strict reader says it in better words
    try:
        return strict_json.read(text.encode("utf-8", "surrogatepass"))
    except ValueError as error:
        raise BadDraft(f"This is not JSON: {error}.") from error


def problem_rows(definition: dict[str, Any], *, yaml_text: str | None = None) -> list[dict[str, Any]]:
    """What is wrong, with the name of the step for people and its key for the editor; of a text of YAML also with the
    place (`span`), which the browser finds by itself in JSON."""
    found = places.places(yaml_text) if yaml_text is not None else {}
    return [
        {**named(problem, definition), "span": _span(found, problem) if found else None}
        for problem in validate(definition)
    ]


def _span(found: dict[tuple[str, ...], Span], problem: Problem) -> Span:
    step = ("steps", problem.step) if problem.step else ()
    return places.place_of(found, (*step, *problem.field.split(".")))


def named(problem: Problem, definition: dict[str, Any]) -> dict[str, Any]:
    """A problem with the name of its step for people."""
    steps = definition.get("steps")
    step = steps.get(problem.step) if isinstance(steps, dict) and problem.step else None
    name = step.get("name") if isinstance(step, dict) else None
    kind = registry.find(str(step.get("type"))) if isinstance(step, dict) else None
    label = kind.label if kind else problem.step
    return {**problem.as_dict(), "step_name": str(name or label or "The journey")}
