"""Take a tag from the contact."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from contacts.audiences import tags
from workflows.definition import phrases
from workflows.definition.shown import Shown
from workflows.definition.strict import Strict
from workflows.steps.base import Advance, Cohort, Outcome, StepType


class RemoveTagConfig(Strict):
    tag: Annotated[str, Field(min_length=1, max_length=100), Shown("Tag", control="tag")]


@dataclass(frozen=True)
class Untagging:
    tagging: tags.Tagging
    lane: str

    @classmethod
    def apply(cls, effects: list[Untagging], now: datetime) -> None:
        tags.remove_tags([effect.tagging for effect in effects], now=now, lane=effects[0].lane)


class RemoveTag(StepType):
    key = "remove_tag"
    label = "Remove tag"
    group, icon = "contact", "label_off"
    hint = "Take a tag off the contact"
    Config = RemoveTagConfig

    def sentence(self, config: RemoveTagConfig) -> str:
        return f"Take away the tag {phrases.quoted(config.tag)}"

    def run(self, cohort: Cohort, prepared: Any, now: datetime) -> list[Outcome]:
        config: RemoveTagConfig = prepared
        source = f"workflow:{cohort.workflow_slug}"
        return [
            Advance(effects=(Untagging(tags.Tagging(member.contact_id, config.tag, source), cohort.lane),))
            for member in cohort.members
        ]
