"""What every trigger is made of: an event type, and perhaps a filter. What starts a workflow is nearly always an event
in the log, our own or a producer's, so intake needs to know no kind of trigger. The others have no event type: the
calendar starts them (`schedules`, `date_entries`), or somebody asks for it (`entry_runs`, `enrolling`)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from scoring.rulesets.rules import LEAD
from workflows.definition import phrases
from workflows.definition.problems import Problem
from workflows.definition.strict import Strict

PLACE = "entry.trigger"


class TriggerType(Strict):
    """Subclass with `type` as a Literal, give the settings as fields, and list it in `registry.py`."""

    type: str
    label: ClassVar[str]  # in marketers' words
    existing: ClassVar[bool] = True  # whether `enrol_existing` makes sense for it

    def event_type(self) -> str | None:
        """The type of the events that may start the workflow; None where no event does."""
        raise NotImplementedError

    def filter(self) -> dict[str, Any] | None:
        """A condition over `event.*` that such an event must meet, or None."""
        return None

    def standing(self) -> dict[str, Any] | None:
        """A condition over the contact: who stands already where the trigger leads (has the tag, is in the segment).
        `enrol_existing` brings them in. None: that cannot be said of a contact, and everybody of the audience is."""
        return None

    def thresholds(self) -> frozenset[float]:
        """Thresholds of the score `score_name` that must be watched for it."""
        return frozenset()

    def score_name(self) -> str:
        return LEAD

    def problems(self) -> Iterable[Problem]:
        """What the settings' own types cannot say: names of things that are not there."""
        return ()

    def sentence(self) -> str:
        """What starts the workflow, for marketers: no full stop. It names every setting that was said."""
        given = phrases.settings(self.model_dump(by_alias=True, exclude_unset=True), without=("type",))
        return f"{self.label}: {given}" if given else self.label


def property_is(name: str, value: str | float) -> dict[str, Any]:
    return {"field": f"event.{name}", "op": "eq", "value": value}


def ref_missing(field: str, what: str, name: str) -> Problem:
    return Problem(None, f"{PLACE}.{field}", "ref_missing", f"there is no {what} {name!r}")
