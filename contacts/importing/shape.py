"""How a file is to be imported: its format, its mapping, and what holds for every row. What a run remembers. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from contacts.collect import strict_json
from contacts.consent import ALL_TOPICS, CATEGORIES, DENIED, GRANTED
from contacts.upserting import Topic, name_fault

UPDATE, FILL, SKIP = "update", "fill", "skip"
EXISTING = {
    UPDATE: "Update them: what the file says holds",
    FILL: "Only fill what is empty",
    SKIP: "Leave them as they are",
}


@dataclass(frozen=True)
class Options:
    """What holds for every row. `existing`: what happens to people who are known: UPDATE, FILL (only what they lack) or
    SKIP. `consents` are recorded of those who never said anything about it, and never override what was said;
    `evidence` is kept beside every consent of the file. `tags` and `lists` are given to everybody."""

    existing: str = UPDATE
    tags: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()
    consents: Mapping[Topic, str] = field(default_factory=dict)
    evidence: Mapping[str, Any] | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "existing": self.existing,
            "tags": list(self.tags),
            "lists": list(self.lists),
            "consents": {
                f"{category}:{topic}".rstrip(":"): state for (category, topic), state in self.consents.items()
            },
            "evidence": None if self.evidence is None else dict(self.evidence),
        }


def options_of(raw: Any) -> Options:
    """The options in this JSON value, as `as_json` gives them. Raises ValueError: the sentence says what is wrong."""
    if not isinstance(raw, dict):
        raise ValueError("options are an object")
    existing = raw.get("existing") or UPDATE
    if existing not in EXISTING:
        raise ValueError(f"existing must be one of {', '.join(EXISTING)}")
    tags, lists = _texts(raw, "tags"), _texts(raw, "lists")
    for tag in tags:
        if wrong := name_fault(tag):
            raise ValueError(f"a tag {wrong.msg}")
    evidence = raw.get("evidence") or None
    if evidence is not None and not isinstance(evidence, dict):
        raise ValueError("evidence is an object")
    if flaw := strict_json.fault_in(evidence, strict_json.DOCUMENT):
        raise ValueError(f"the evidence {flaw.msg}")
    return Options(existing, tags, lists, dict(_consents(raw.get("consents") or {})), evidence)


def _texts(raw: Mapping[str, Any], name: str) -> tuple[str, ...]:
    found = raw.get(name) or []
    if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
        raise ValueError(f"{name} must be a list of texts")
    return tuple(dict.fromkeys(text.strip() for text in found if text.strip()))


def _consents(raw: Any) -> list[tuple[Topic, str]]:
    if not isinstance(raw, dict):
        raise ValueError('consents are an object, such as {"marketing": "granted"}')
    found = []
    for about, state in raw.items():
        category, _, topic = about.partition(":")
        if category not in CATEGORIES or (topic and (category != "marketing" or name_fault(topic))):
            raise ValueError("there is no such consent category")
        if state not in (GRANTED, DENIED):
            raise ValueError("a consent is granted or denied")
        found.append(((category, topic or ALL_TOPICS), state))
    return found
