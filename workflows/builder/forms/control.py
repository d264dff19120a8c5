"""What a control is: how a setting is shown to be filled in, and how what was filled in is read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from django.http import QueryDict

from workflows.definition.shown import Shown


class _Absent:
    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent()  # the setting is not said


@dataclass(frozen=True)
class Field:
    """A setting in a form. `name`: its place below the form's object (`config.at`, `arms.0.key`), as problems name it.
    `value`: as it stands in the definition, its default where that says nothing, ABSENT where there is none.
    `wrong`: what is wrong with it, in words; `inside`: what is wrong with parts of it, by their place in it."""

    name: str
    shown: Shown
    control: Control
    value: Any
    required: bool = False
    choices: tuple[tuple[str, str], ...] = ()
    wrong: tuple[str, ...] = ()
    inside: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    stands_in: bool = False  # the control is not the setting's own: that one cannot show the value

    @property
    def id(self) -> str:
        return f"field-{re.sub(r'[^A-Za-z0-9_-]+', '-', self.name)}"

    @property
    def described_by(self) -> str:
        """For aria-describedby: the help, then what is wrong."""
        return " ".join(
            [*([f"{self.id}-help"] if self.shown.help else []), *([f"{self.id}-wrong"] if self.wrong else [])]
        )

    def wrong_at(self, part: str) -> tuple[str, ...]:
        """What is wrong with a part and with what is in it."""
        return tuple(
            message
            for place, messages in self.inside.items()
            if place == part or place.startswith(f"{part}.")
            for message in messages
        )


class Control:
    """Subclass in a file of `controls/`, and list it in `registry.py`. Instances hold nothing."""

    key: ClassVar[str]
    template: ClassVar[str]  # below admin/workflows/builder/controls/; it gets `field` and what `context` says
    frame: ClassVar[str] = "label"  # group: of several controls; inline: the label stands behind
    stand_in: ClassVar[str] = "json"  # the key of the control that shows what this one cannot
    shows_inside: ClassVar[bool] = False  # it says at its parts what is wrong there

    def fits(self, value: Any) -> bool:
        """Whether what it shows of this value reads as the same value again. What does not is shown by `stand_in`, so
        that nothing is lost."""
        return nothing(value) or is_line(value)

    def context(self, field: Field) -> Mapping[str, Any]:
        return {}

    def read(self, data: QueryDict, name: str) -> Any:
        """The value that was filled in, as it stands in a definition; ABSENT for nothing. What cannot be understood is
        given back as it was written: the definition's own rules say what is wrong with it. Raises
        `operations.change.Refused` for what no value can say."""
        text = data.get(name, "").strip()
        return text or ABSENT


def nothing(value: Any) -> bool:
    """Whether an empty control says the same."""
    return value is ABSENT or value is None or (isinstance(value, str | list | dict) and not value)


def is_line(value: Any) -> bool:
    """A text that a line to write on gives back as it is."""
    return isinstance(value, str) and value == value.strip() and not re.search(r"[\r\n\0]", value)
