"""What a condition is once it has been read: a tree of frozen values, and what may be wrong with one. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

MAX_DEPTH = 16
MAX_NODES = 200
MAX_LIST = 1000  # values of `in` and `not_in`
MAX_TEXT = 1000  # characters of any text
MAX_COUNT = 1_000_000  # of `count` in an event condition
MAX_WINDOW_DAYS = 36_525  # a hundred years: further back there is no calendar to subtract from


@dataclass(frozen=True)
class Target:
    """What a comparison reads: a registered field of the contact, or a path into JSON.

    `space` says whose: contact (a registered field), attributes, event, trigger. `type` is text, number, boolean,
    instant or json (known only when the value is read). `stored` marks a NOT NULL column, whose comparison with a
    literal cannot be NULL. `own` marks the type or the time of an event itself, as against a property of that name.
    """

    space: str
    keys: tuple[str, ...]
    type: str
    stored: bool = False
    own: bool = False


@dataclass(frozen=True)
class Ref:
    """A value taken from the entry event when the condition runs."""

    target: Target


Scalar = str | int | float | bool | datetime
Value = Scalar | tuple[Scalar, ...] | Ref | None


@dataclass(frozen=True)
class Comparison:
    """`value` is None for exists and not_exists; a datetime where the operator or the field asks for an instant."""

    target: Target
    op: str
    value: Value


@dataclass(frozen=True)
class EventCount:
    """How often an event of `type` was recorded. `message` narrows by (workflow, step, template) of its properties."""

    type: str
    op: str
    count: int
    within: str | None
    where: Condition | None
    message: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Named:
    """A node of one name, such as has_tag: its kind is looked up in the registry of `builtin`."""

    kind: str
    name: str


@dataclass(frozen=True)
class All:
    parts: tuple[Condition, ...]


@dataclass(frozen=True)
class AnyOf:
    parts: tuple[Condition, ...]


@dataclass(frozen=True)
class Not:
    part: Condition


Condition = Comparison | EventCount | Named | All | AnyOf | Not


@dataclass(frozen=True)
class Problem:
    """One mistake: where (`all[1].value`), of which kind, and in words."""

    path: str
    code: str
    message: str


class BadCondition(ValueError):
    """The tree is not a condition. `problems` holds every mistake that was found, never none."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("; ".join(f"{problem.path or 'condition'}: {problem.message}" for problem in problems))
