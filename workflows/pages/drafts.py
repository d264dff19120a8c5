"""A draft as the editor sends it: text that must be JSON, and a definition whose problems are shown at their place."""

from __future__ import annotations

import json
import re
from typing import Any

from contacts.collect import strict_json
from workflows.definition.validation import validate

LARGEST = 1_000_000  # characters
_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,99}")

STARTER: dict[str, Any] = {
    "schema": 1,
    "name": "New journey",
    "slug": "new-journey",
    "entry": {"trigger": {"type": "event", "event": "signed_up"}, "re_entry": {"policy": "never"}},
    "settings": {"lane": "urgent", "message_class": "marketing"},
    "start": "welcome",
    "steps": {
        "welcome": {
            "type": "send_email",
            "name": "Welcome",
            "config": {"template": "welcome"},
            "next": {"next": "morning"},
        },
        "morning": {
            "type": "wait",
            "name": "Nine in the morning, their time",
            "config": {"mode": "local_time", "at": "09:00"},
            "next": {"next": "opened"},
        },
        "opened": {
            "type": "branch",
            "name": "Opened the welcome?",
            "config": {"arms": [{"key": "yes", "if": {"event": "email_opened", "within": "P7D"}}]},
            "next": {"yes": "engaged", "else": None},
        },
        "engaged": {"type": "add_tag", "name": "Tag as engaged", "config": {"tag": "engaged"}, "next": {"next": None}},
    },
}


class BadDraft(ValueError):
    """This text cannot be stored as a draft; the message says why."""


def read_draft(text: str, *, anything: bool = False) -> dict[str, Any]:
    """The definition in the text; `anything`: also one that does not say who it is. Raises BadDraft."""
    if len(text) > LARGEST:
        raise BadDraft("This is too long for a journey.")
    try:
        json.loads(text)  # for the place of a mistake, which the strict reader does not tell
    except json.JSONDecodeError as error:
        raise BadDraft(f"Line {error.lineno}, column {error.colno}: this is not JSON ({error.msg.lower()}).") from error
    except (ValueError, RecursionError):
        pass  # the strict reader says it in better words
    try:
        definition = strict_json.read(text.encode("utf-8", "surrogatepass"))
    except ValueError as error:
        raise BadDraft(f"This is not JSON: {error}.") from error
    fault = strict_json.fault_in(definition, strict_json.DOCUMENT)
    if fault is not None:
        raise BadDraft(f"{'.'.join(str(part) for part in fault.loc) or 'The text'} {fault.msg}.")
    if not isinstance(definition, dict):
        raise BadDraft("A definition is an object: it begins with { and ends with }.")
    if not anything and not _SLUG.fullmatch(str(definition.get("slug", ""))):
        raise BadDraft(
            "The definition needs a slug, the short name that never changes: small letters, digits, hyphens, such as "
            "“my-journey”."
        )
    return definition


def problem_rows(definition: dict[str, Any]) -> list[dict[str, Any]]:
    """What is wrong, with the name of the step for people and its key for the editor."""
    steps = definition.get("steps")
    rows = []
    for problem in validate(definition):
        step = steps.get(problem.step) if isinstance(steps, dict) and problem.step else None
        name = step.get("name") if isinstance(step, dict) else None
        rows.append({**problem.as_dict(), "step_name": str(name or problem.step or "The journey")})
    return rows
