"""A draft as the editor sends it: text that must be JSON, and a definition whose problems are shown at their place."""

from __future__ import annotations

import json
from typing import Any

from workflows.definition.validation import validate

LARGEST = 1_000_000  # characters

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
        definition = json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        raise BadDraft(f"Line {error.lineno}, column {error.colno}: this is not JSON ({error.msg.lower()}).") from error
    except (ValueError, RecursionError) as error:
        raise BadDraft("This is not JSON that can be stored.") from error
    if not isinstance(definition, dict):
        raise BadDraft("A definition is an object: it begins with { and ends with }.")
    if "\\u0000" in json.dumps(definition) or not _encodable(definition):
        raise BadDraft("The text holds a character that cannot be stored.")
    if not anything and (not isinstance(definition.get("slug"), str) or not definition["slug"]):
        raise BadDraft('The definition needs a slug, the short name that never changes: "slug": "my-journey".')
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


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


def _encodable(definition: Any) -> bool:
    try:
        json.dumps(definition, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
