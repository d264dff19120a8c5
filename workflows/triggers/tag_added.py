"""A contact gets a tag."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from workflows.definition import phrases
from workflows.definition.shown import Shown
from workflows.definition.strict import Name
from workflows.triggers.base import TriggerType, property_is


class TagAdded(TriggerType):
    type: Literal["tag_added"]
    label: ClassVar = "Tag added"
    tag: Annotated[Name, Shown("Tag", control="tag")]

    def event_type(self) -> str:
        return "tag_added"

    def filter(self) -> dict[str, Any]:
        return property_is("tag", self.tag)

    def standing(self) -> dict[str, Any]:
        return {"has_tag": self.tag}

    def sentence(self) -> str:
        return f"The contact gets the tag {phrases.quoted(self.tag)}"
