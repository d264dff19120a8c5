"""What several controls share: one of the things that the installation has, or the name of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from workflows.builder.forms.control import ABSENT, Control, Field

MOST = 1000  # that are offered; one beyond them is shown where it is chosen already
MANY = 12  # from so many on there is a line to search them


@dataclass(frozen=True)
class Option:
    """`note`: more about it, shown when it is chosen; `link`: its own page."""

    value: str
    label: str
    note: str = ""
    link: str = ""


class Picker(Control):
    """One of those that there are. What is stored and is not among them is shown as missing."""

    template = "picker.html"
    what: ClassVar[str]  # in a marketer's words: template, list
    new: ClassVar[str] = ""  # what makes another one is called

    def options(self, field: Field) -> Sequence[Option]:
        raise NotImplementedError

    def new_link(self) -> str:
        return ""

    def context(self, field: Field) -> Mapping[str, Any]:
        options = self.options(field)
        value = "" if field.value is ABSENT or field.value is None else field.value
        return {
            "options": options,
            "chosen": next((option for option in options if option.value == value), None),
            "missing": bool(value) and all(option.value != value for option in options),
            "many": len(options) > MANY,
            "what": self.what,
            "new": self.new,
            "new_link": self.new_link() if self.new else "",
        }


class Suggested(Control):
    """A line to write on, with suggestions: what is not known yet may be meant all the same."""

    template = "suggested.html"

    def suggestions(self) -> Sequence[tuple[str, str]]:
        """(value, label); an empty label where the value says it all."""
        raise NotImplementedError

    def context(self, field: Field) -> Mapping[str, Any]:
        return {"suggestions": self.suggestions()}
