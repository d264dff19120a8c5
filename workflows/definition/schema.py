"""The shape of a workflow definition, schema 1 (pydantic): the envelope. Step settings are the step types' own."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from contacts.durations import BadDuration, parse_duration

STEP_LIMIT = 200
Key = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,60}$")]
Name = Annotated[str, Field(min_length=1, max_length=200)]


class Strict(BaseModel):
    """Unknown keys are mistakes, not extensions."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def iso_duration(text: str) -> str:
    """Validator: an ISO 8601 duration of days, hours, minutes, seconds."""
    try:
        parse_duration(text)
    except BadDuration as error:
        raise ValueError(str(error)) from error
    return text


class EventTrigger(Strict):
    type: Literal["event"]
    event: Name
    where: dict[str, Any] | None = None


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
    trigger: EventTrigger
    audience: dict[str, Any] | None = None
    re_entry: ReEntry = ReEntry()


class Settings(Strict):
    """`priority` goes from 1 to 10, 10 first."""

    lane: Literal["urgent", "bulk"] = "urgent"
    message_class: Literal["marketing", "transactional"] = "marketing"
    priority: Annotated[int, Field(ge=1, le=10)] = 5
    override_frequency_cap: bool = False
    default_timezone: str | None = None


class Step(Strict):
    type: Name
    name: str = ""
    config: dict[str, Any] = {}
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
