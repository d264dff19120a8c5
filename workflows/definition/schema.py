"""The shape of a workflow definition, schema 1 (pydantic): the envelope. Step settings are the step types' own."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from contacts.durations import BadDuration, parse_duration
from workflows.definition.strict import Name, Strict
from workflows.triggers.registry import Trigger

STEP_LIMIT = 200
Key = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,60}$")]


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
    trigger: Trigger
    audience: dict[str, Any] | None = None
    re_entry: ReEntry = ReEntry()


class Settings(Strict):
    """`priority` goes from 1 to 10, 10 first. `rollout_percent` lets that share of the contacts in, always the same
    ones, also when it is raised; of those, `holdout_percent` get nothing, so that there is something to compare with.
    """

    lane: Literal["urgent", "bulk"] = "urgent"
    message_class: Literal["marketing", "transactional"] = "marketing"
    priority: Annotated[int, Field(ge=1, le=10)] = 5
    override_frequency_cap: bool = False
    default_timezone: str | None = None
    rollout_percent: Percent = 100
    holdout_percent: Percent = 0


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
    slug: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,99}$")]
    entry: Entry
    settings: Settings = Settings()
    start: Key
    steps: Annotated[dict[Key, Step], Field(min_length=1, max_length=STEP_LIMIT)]
