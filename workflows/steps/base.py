"""What every step is made of. A step says, the engine does: `run` returns an outcome for each member of a cohort and
writes no cursor, journal, timer or message itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, ClassVar, NamedTuple, Protocol

from pydantic import BaseModel

from contacts.conditions import Aliases
from workflows.definition import phrases
from workflows.definition.problems import Problem
from workflows.definition.schema import Settings


class _Member(NamedTuple):
    enrolment_id: int
    contact_id: int
    seq: int
    resumed: bool  # it waited here, and the time has come, or something happened that it waits for
    trigger_json: str
    waiting_since: datetime | None = None  # when it arrived here to wait


class Member(_Member):
    """One enrolment that stands at the step. `seq` is the number of the journal row that this run will write.

    There is one for every step that anybody takes, so it is a tuple, which is made three times as fast."""

    @cached_property
    def trigger(self) -> Mapping[str, Any]:
        """The entry event, for `trigger.*`; read only where a step asks for it."""
        return json.loads(self.trigger_json)


@dataclass(frozen=True)
class Cohort:
    """The enrolments of one batch that stand at the same step of the same version."""

    workflow_id: int
    workflow_slug: str
    version_id: int
    settings: Settings
    lane: str
    step: str
    members: tuple[Member, ...]
    # contact id -> stored time zone name; one statement for the whole batch, made when first asked for
    timezones: Callable[[], Mapping[int, str]]

    @property
    def enrolment_ids(self) -> str:
        """Of its members, as an array in PostgreSQL's own spelling."""
        return "{" + ",".join([str(member.enrolment_id) for member in self.members]) + "}"

    @property
    def aliases(self) -> Aliases:
        """How conditions read a member, in a statement over `workflow_enrolments t JOIN contacts c`."""
        return member_aliases(self.settings)


def member_aliases(settings: Settings) -> Aliases:
    """The attributes as they are now, or as they were at entry where the version froze them."""
    frozen = "COALESCE(t.snapshot, c.attributes)" if settings.snapshot_attributes else ""
    return Aliases(contact="c", trigger="t", attributes=frozen)


class TryLater(Exception):
    """Raised by a step that cannot do its work now, through no fault of the contact: a service is away, or busy."""


class Effect(Protocol):
    """Something that an outcome brings about outside the engine's own tables. The engine collects the effects of a
    whole batch, which is of one lane, and applies each kind once, with a constant number of statements. News that it
    causes stays in that lane."""

    @classmethod
    def apply(cls, effects: list[Any], now: datetime) -> None: ...


# What was read and decided, for the journal: short and without names. A text is JSON already.
Detail = Mapping[str, Any] | str


NOTHING_READ = "{}"


class Advance(NamedTuple):
    """Go on through `port`."""

    port: str = "next"
    detail: Detail = NOTHING_READ
    effects: tuple[Effect, ...] = ()


class WaitUntil(NamedTuple):
    """Stay here until `at` (UTC), or until something happens that the step watches. `at` = now: look once more as soon
    as the arrival is committed."""

    at: datetime
    detail: Detail = NOTHING_READ
    effects: tuple[Effect, ...] = ()


class KeepWaiting(NamedTuple):
    """It looked, and what it waits for has not happened: look again at `at` at the latest. No row of the journal."""

    at: datetime


class Leave(NamedTuple):
    """Leave the workflow. `completed` is an end like any other; every other reason is an exit."""

    reason: str
    detail: Detail = NOTHING_READ


Outcome = Advance | WaitUntil | KeepWaiting | Leave


class StepType:
    """Subclass, give the class attributes, and list it in `registry.py`. Instances hold nothing."""

    key: ClassVar[str]
    label: ClassVar[str]  # in marketers' words
    group: ClassVar[str]  # in the builder's menu, and the colour of the card: messages, timing, logic, contact, team
    icon: ClassVar[str]  # a Material symbol
    hint: ClassVar[str]  # what it is for, in a line
    initial: ClassVar[Mapping[str, Any]] = {}  # the settings of a new one; it may have problems until it is filled in
    Config: ClassVar[type[BaseModel]]

    def ports(self, config: Any) -> tuple[str, ...]:
        """The ways out, in the order in which they are drawn."""
        return ("next",)

    def rough_ports(self, config: Mapping[str, Any]) -> tuple[str, ...]:
        """The same of settings that do not read: what can be made out of them."""
        return ("next",)

    def caption(self, config: Mapping[str, Any], port: str) -> str:
        """What stands at the line of a port, where there are several; of settings that may not read."""
        return port.replace("_", " ").capitalize()

    def problems(self, config: Any, step: str) -> Iterable[Problem]:
        """What the settings' own types cannot say."""
        return ()

    def sentence(self, config: Any) -> str:
        """What the step does with these settings, for marketers: no full stop. It names every setting that was said."""
        given = phrases.settings(config.model_dump(by_alias=True, exclude_unset=True))
        return f"{self.label}: {given}" if given else self.label

    def watches(self, config: Any) -> Collection[str]:
        """What ends a wait here before its time: words of `contacts.conditions.reading`. Who waits looks again then."""
        return ()

    def prepare(self, config: Any) -> Any:
        """What a run needs of the settings, computed once per version and process (parsed conditions)."""
        return config

    def run(self, cohort: Cohort, prepared: Any, now: datetime) -> list[Outcome]:
        """An outcome for each member, in their order."""
        raise NotImplementedError


def rough_keys(listed: Any) -> tuple[str, ...]:
    """The keys of arms or variants in settings that may not read, each once."""
    found = [each.get("key") for each in listed if isinstance(each, Mapping)] if isinstance(listed, list) else []
    return tuple(dict.fromkeys(key for key in found if isinstance(key, str) and key))
