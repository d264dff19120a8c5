"""What every trigger is made of: an event type, and perhaps a filter. What starts a workflow is always an event in the
log, our own or a producer's, so intake needs to know no kind of trigger."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from workflows.definition.problems import Problem
from workflows.definition.strict import Strict

PLACE = "entry.trigger"


class TriggerType(Strict):
    """Subclass with `type` as a Literal, give the settings as fields, and list it in `registry.py`."""

    type: str
    label: ClassVar[str]  # in marketers' words

    def event_type(self) -> str:
        """The type of the events that may start the workflow."""
        raise NotImplementedError

    def filter(self) -> dict[str, Any] | None:
        """A condition over `event.*` that such an event must meet, or None."""
        return None

    def problems(self) -> Iterable[Problem]:
        """What the settings' own types cannot say: names of things that are not there."""
        return ()


def property_is(name: str, value: str) -> dict[str, Any]:
    return {"field": f"event.{name}", "op": "eq", "value": value}


def ref_missing(field: str, what: str, name: str) -> Problem:
    return Problem(None, f"{PLACE}.{field}", "ref_missing", f"there is no {what} {name!r}")
