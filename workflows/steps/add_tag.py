"""Add a tag to the contact."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from contacts.audiences import tags
from workflows.definition.strict import Strict
from workflows.steps.base import Advance, Cohort, Outcome, StepType


class AddTagConfig(Strict):
    tag: Annotated[str, Field(min_length=1, max_length=100)]


@dataclass(frozen=True)
class Tagging:
    contact_id: int
    tag: str
    source: str

    @classmethod
    def apply(cls, effects: list[Tagging], now: datetime) -> None:
        rows = [tags.Tagging(contact_id=e.contact_id, tag=e.tag, source=e.source) for e in effects]
        tags.add_tags(rows, now=now)


class AddTag(StepType):
    key = "add_tag"
    label = "Add tag"
    Config = AddTagConfig

    def run(self, cohort: Cohort, prepared: Any, now: datetime) -> list[Outcome]:
        config: AddTagConfig = prepared
        source = f"workflow:{cohort.workflow_slug}"
        return [
            Advance(effects=(Tagging(contact_id=member.contact_id, tag=config.tag, source=source),))
            for member in cohort.members
        ]
