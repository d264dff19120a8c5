"""Add a tag to the contact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from contacts.audiences import tags
from workflows.definition import phrases
from workflows.definition.shown import Shown
from workflows.definition.strict import Strict
from workflows.entry import hops
from workflows.steps.base import Advance, Cohort, Outcome, StepType


class AddTagConfig(Strict):
    tag: Annotated[
        str, Field(min_length=1, max_length=100), Shown("Tag", control="tag", help="Choose one or write a new one.")
    ]


@dataclass(frozen=True)
class Tagging:
    tagging: tags.Tagging
    lane: str
    context: Mapping[str, Any]  # of `tag_added`

    @classmethod
    def apply(cls, effects: list[Tagging], now: datetime) -> None:
        with hops.leading((effect.tagging.contact_id, effect.context) for effect in effects):
            tags.add_tags([effect.tagging for effect in effects], now=now, lane=effects[0].lane)


class AddTag(StepType):
    key = "add_tag"
    label = "Add tag"
    group, icon = "contact", "new_label"
    hint = "Put a tag on the contact"
    Config = AddTagConfig

    def sentence(self, config: AddTagConfig) -> str:
        return f"Add the tag {phrases.quoted(config.tag)}"

    def run(self, cohort: Cohort, prepared: Any, now: datetime) -> list[Outcome]:
        config: AddTagConfig = prepared
        source = f"workflow:{cohort.workflow_slug}"
        return [
            Advance(
                effects=(
                    Tagging(
                        tags.Tagging(member.contact_id, config.tag, source),
                        cohort.lane,
                        hops.of_fact(member.trigger, cohort.workflow_slug, now),
                    ),
                )
            )
            for member in cohort.members
        ]
