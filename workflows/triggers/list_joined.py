"""A contact joins a list."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, Literal

from contacts.audiences import lists
from workflows.definition import phrases
from workflows.definition.problems import Problem
from workflows.definition.shown import Shown
from workflows.definition.strict import Name
from workflows.triggers.base import TriggerType, property_is, ref_missing


class ListJoined(TriggerType):
    """`list` is the list's slug."""

    type: Literal["list_joined"]
    label: ClassVar = "List joined"
    list: Annotated[Name, Shown("List", control="list")]

    def event_type(self) -> str:
        return "list_joined"

    def filter(self) -> dict[str, Any]:
        return property_is("list", self.list)

    def standing(self) -> dict[str, Any]:
        return {"in_list": self.list}

    def sentence(self) -> str:
        return f"The contact joins the list {phrases.quoted(self.list)}"

    def problems(self) -> Iterable[Problem]:
        if lists.unknown([self.list]):
            yield ref_missing("list", "list", self.list)
