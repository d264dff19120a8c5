"""What every step is made of. A step says, the engine does: `run` returns an outcome for each member of a cohort and
writes no cursor, journal, timer or message itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, ClassVar, Protocol

from pydantic import BaseModel

from workflows.definition.problems import Problem
from workflows.definition.schema import Settings


@dataclass(frozen=True)
class Member:
    """One enrolment that stands at the step. `seq` is the number of the journal row that this run will write."""

    enrolment_id: int
    contact_id: int
    seq: int
    resumed: bool  # it waited here, and the time has come
    trigger_json: str

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


class Effect(Protocol):
    """Something that an outcome brings about outside the engine's own tables. The engine collects the effects of a
    whole batch, which is of one lane, and applies each kind once, with a constant number of statements. News that it
    causes stays in that lane."""

    @classmethod
    def apply(cls, effects: list[Any], now: datetime) -> None: ...


@dataclass(frozen=True)
class Advance:
    """Go on through `port`."""

    port: str = "next"
    detail: Mapping[str, Any] = field(default_factory=dict)
    effects: tuple[Effect, ...] = ()


@dataclass(frozen=True)
class WaitUntil:
    """Stay here until `at` (UTC)."""

    at: datetime
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Leave:
    """Leave the workflow. `completed` is an end like any other; every other reason is an exit."""

    reason: str
    detail: Mapping[str, Any] = field(default_factory=dict)


Outcome = Advance | WaitUntil | Leave


class StepType:
    """Subclass, give the class attributes, and list it in `registry.py`. Instances hold nothing."""

    key: ClassVar[str]
    label: ClassVar[str]  # in marketers' words
    Config: ClassVar[type[BaseModel]]

    def ports(self, config: Any) -> tuple[str, ...]:
        """The ways out, in the order in which they are drawn."""
        return ("next",)

    def problems(self, config: Any, step: str) -> Iterable[Problem]:
        """What the settings' own types cannot say."""
        return ()

    def prepare(self, config: Any) -> Any:
        """What a run needs of the settings, computed once per version and process (parsed conditions)."""
        return config

    def run(self, cohort: Cohort, prepared: Any, now: datetime) -> list[Outcome]:
        """An outcome for each member, in their order."""
        raise NotImplementedError
