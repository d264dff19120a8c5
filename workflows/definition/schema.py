"""The shape of a workflow definition, schema 1 (pydantic): the envelope. Step settings are the step types' own."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from contacts.durations import BadDuration, parse_duration
from workflows.definition.strict import CLOCK, KEY, WORKFLOW_SLUG, Name, Strict
from workflows.triggers.registry import Trigger

STEP_LIMIT = 200
Key = Annotated[str, Field(pattern=KEY)]


Percent = Annotated[float, Field(ge=0, le=100)]


def iso_duration(text: str) -> str:
    """Validator: an ISO 8601 duration of days, hours, minutes, seconds."""
    try:
        parse_duration(text)
    except BadDuration as error:
        raise ValueError(str(error)) from error
    return text


class ReEntry(Strict):
    """`never` · `after_exit` · `after_cooldown` (with `cooldown`) · `every_time`; `key` such as `event.order_id`."""

    policy: Literal["never", "after_exit", "after_cooldown", "every_time"] = "never"
    cooldown: str | None = None
    key: Annotated[str, Field(pattern=r"^event\.[A-Za-z0-9_.]{1,100}$")] | None = None

    @field_validator("cooldown")
    @classmethod
    def _duration(cls, value: str | None) -> str | None:
        return value if value is None else iso_duration(value)


class Entry(Strict):
    """`enrol_existing`: when a version is published, contacts of the audience who are there already are brought in."""

    trigger: Trigger
    audience: dict[str, Any] | None = None
    re_entry: ReEntry = ReEntry()
    enrol_existing: bool = False


class ExitRule(Strict):
    """Either an event, perhaps with a filter over `event.*` and `trigger.*`, or a condition over the contact."""

    event: Name | None = None
    where: dict[str, Any] | None = None
    condition: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> ExitRule:
        if (self.event is None) == (self.condition is None):
            raise ValueError("say either an event or a condition")
        if self.where is not None and self.event is None:
            raise ValueError("a condition has no `where`")
        return self


class Exit(Strict):
    """Whoever meets a rule leaves at once: as `goal_achieved`, or as `disqualified`. Goals are asked first."""

    goal: Annotated[list[ExitRule], Field(max_length=20)] = []
    disqualify: Annotated[list[ExitRule], Field(max_length=20)] = []


class QuietHours(Strict):
    """From one local time to another, over midnight where `to` is the earlier. Messages of that time are put off to
    its end, or skipped."""

    from_: Annotated[str, Field(alias="from", pattern=CLOCK)]
    to: Annotated[str, Field(pattern=CLOCK)]
    policy: Literal["defer", "skip"] = "defer"

    @model_validator(mode="after")
    def _an_end(self) -> QuietHours:
        if self.from_ == self.to:
            raise ValueError("quiet hours that begin when they end would never let a message go")
        return self


class Settings(Strict):
    """`priority` goes from 1 to 10, 10 first. `rollout_percent` lets that share of the contacts in, always the same
    ones, also when it is raised; of those, `holdout_percent` get nothing, so that there is something to compare with.
    `concurrency_cap` is the most who are active (not waiting) at once. `snapshot_attributes`: conditions read the
    attributes as they were at entry. Whoever is not through after `max_duration` leaves as `timed_out`."""

    lane: Literal["urgent", "bulk"] = "urgent"
    message_class: Literal["marketing", "transactional"] = "marketing"
    priority: Annotated[int, Field(ge=1, le=10)] = 5
    concurrency_cap: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    snapshot_attributes: bool = False
    override_frequency_cap: bool = False
    quiet_hours: QuietHours | None = None
    default_timezone: str | None = None
    rollout_percent: Percent = 100
    holdout_percent: Percent = 0
    max_duration: str | None = None

    @field_validator("max_duration")
    @classmethod
    def _duration(cls, value: str | None) -> str | None:
        return value if value is None else iso_duration(value)


class Step(Strict):
    type: Name
    name: str = ""
    config: dict[str, Any] = {}
    skip_if: dict[str, Any] | None = None  # a condition: true at arrival, and the contact goes on at once
    next: dict[str, Key | None] = {}


class Definition(Strict):
    """A whole workflow. `next` maps each port of a step to another step or null, the end."""

    schema_: Annotated[Literal[1], Field(alias="schema")]
    name: Name
    slug: Annotated[str, Field(pattern=WORKFLOW_SLUG)]
    entry: Entry
    settings: Settings = Settings()
    exit: Exit = Exit()
    start: Key
    steps: Annotated[dict[Key, Step], Field(min_length=1, max_length=STEP_LIMIT)]
