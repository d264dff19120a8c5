"""What a try is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from contacts import durations
from contacts.durations import BadDuration

NOTHING, OPENS, CLICKS = "nothing", "opens", "clicks"
HABITS = (NOTHING, OPENS, CLICKS)
MOST_EVENTS = 20


class CannotTry(ValueError):
    """Why nobody can be tried so; a sentence."""


@dataclass(frozen=True)
class Happening:
    """An event that the contact does `after` (ISO 8601) they entered."""

    type: str
    after: str
    properties: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.type.strip():
            raise CannotTry("Say which event it is.")
        self.delay()

    def delay(self) -> timedelta:
        try:
            return durations.parse_duration(self.after).total()
        except BadDuration as error:
            raise CannotTry(f"“{self.after}” is no length of time.") from error


@dataclass(frozen=True)
class Trial:
    """Who goes through which definition, and when they enter.

    `workflow_id`: whose past decides about re-entry. `contact_id`: a contact of the live schema, or None: the
    `invented` one, said as the cases of a journey's tests say contacts.
    `properties`: of the event that lets them in. `habit`: what they do with every email, a minute after it came.
    `anyway`: audience, shares and re-entry are not asked."""

    workflow_id: int
    slug: str
    definition: Mapping[str, Any]
    at: datetime
    contact_id: int | None = None
    invented: Mapping[str, Any] = field(default_factory=dict)
    properties: Mapping[str, Any] = field(default_factory=dict)
    habit: str = NOTHING
    happenings: Sequence[Happening] = ()
    anyway: bool = False

    def __post_init__(self) -> None:
        if self.at.tzinfo is None:
            raise CannotTry("Say when they enter, with the time zone.")
        if self.habit not in HABITS:
            raise CannotTry("Say what they do with an email.")
        if len(self.happenings) > MOST_EVENTS:
            raise CannotTry(f"At most {MOST_EVENTS} events.")

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "at": self.at.isoformat()}


def from_json(said: Mapping[str, Any]) -> Trial:
    happenings = tuple(Happening(**each) for each in said["happenings"])
    return Trial(**{**said, "at": datetime.fromisoformat(said["at"]), "happenings": happenings})
