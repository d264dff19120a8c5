"""The shape of a workflow definition, schema 1 (pydantic): the envelope. Step settings are the step types' own."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from contacts.durations import BadDuration, parse_duration
from workflows.definition.shown import Shown
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

    policy: Annotated[
        Literal["never", "after_exit", "after_cooldown", "every_time"],
        Shown(
            "May somebody enter again?",
            choices={
                "never": "Never: once in a lifetime",
                "after_exit": "Yes, after leaving",
                "after_cooldown": "Yes, some time after leaving",
                "every_time": "Yes, at every occasion; once at a time, or once for each key",
            },
        ),
    ] = "never"
    cooldown: Annotated[
        str | None, Shown("How long after leaving", control="duration", when={"policy": ("after_cooldown",)})
    ] = None
    key: Annotated[
        Annotated[str, Field(pattern=r"^event\.[A-Za-z0-9_.]{1,100}$")] | None,
        Shown("Counted for each", help="A property of the event, such as event.order_id. Empty: for each contact."),
    ] = None

    @field_validator("cooldown")
    @classmethod
    def _duration(cls, value: str | None) -> str | None:
        return value if value is None else iso_duration(value)


class Entry(Strict):
    """`enrol_existing`: when a version is published, contacts of the audience who are there already are brought in."""

    trigger: Annotated[Trigger, Shown("What starts this journey")]
    audience: Annotated[
        dict[str, Any] | None,
        Shown("Only for contacts for whom this is true", control="condition", help="Empty: for everybody."),
    ] = None
    re_entry: Annotated[ReEntry, Shown("Re-entry")] = ReEntry()
    enrol_existing: Annotated[
        bool,
        Shown(
            "Bring in who is there already",
            help="Contacts who meet this when you publish enter at once. You are asked first, with their number.",
        ),
    ] = False


class ExitRule(Strict):
    """Either an event, perhaps with a filter over `event.*` and `trigger.*`, or a condition over the contact."""

    event: Annotated[Name | None, Shown("This event happens", control="event")] = None
    where: Annotated[
        dict[str, Any] | None,
        Shown("Only where this is true of it", control="condition", scope=frozenset({"event", "trigger"})),
    ] = None
    condition: Annotated[
        dict[str, Any] | None, Shown("This becomes true", control="condition", scope=frozenset({"trigger"}))
    ] = None

    @model_validator(mode="after")
    def _one_of_two(self) -> ExitRule:
        if (self.event is None) == (self.condition is None):
            raise ValueError("say either an event or a condition")
        if self.where is not None and self.event is None:
            raise ValueError("a condition has no `where`")
        return self


class Exit(Strict):
    """Whoever meets a rule leaves at once: as `goal_achieved`, or as `disqualified`. Goals are asked first."""

    goal: Annotated[
        list[ExitRule],
        Field(max_length=20),
        Shown("Goals", help="Whoever does this has done what the journey is for, and leaves as a success."),
    ] = []
    disqualify: Annotated[
        list[ExitRule],
        Field(max_length=20),
        Shown("Disqualifications", help="Whoever does this is not meant any more, and leaves at once."),
    ] = []


_QUIET = {"policy": ("defer", "skip")}


class QuietHours(Strict):
    """From one local time to another, over midnight where `to` is the earlier. Messages of that time are put off to
    its end, or skipped."""

    from_: Annotated[str, Field(alias="from", pattern=CLOCK), Shown("From", control="clock", when=_QUIET)]
    to: Annotated[str, Field(pattern=CLOCK), Shown("To", control="clock", when=_QUIET)]
    policy: Annotated[
        Literal["defer", "skip"],
        Shown(
            "Messages that fall into them",
            choices={"defer": "Are put off to their end", "skip": "Are not sent"},
        ),
    ] = "defer"

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

    lane: Annotated[
        Literal["urgent", "bulk"],
        Shown(
            "Lane",
            help="Large mailings belong on the slow lane, so that they hold nobody up.",
            choices={"urgent": "Fast: people wait for an answer", "bulk": "Slow: whenever there is room"},
        ),
    ] = "urgent"
    message_class: Annotated[
        Literal["marketing", "transactional"],
        Shown(
            "Kind of messages",
            help="Receipts and the like reach people who do not want marketing; caps and quiet hours do not hold them.",
            choices={"marketing": "Marketing: consent and caps count", "transactional": "Transactional: owed to them"},
        ),
    ] = "marketing"
    priority: Annotated[
        Annotated[int, Field(ge=1, le=10)],
        Shown("Priority", help="From 1 to 10; 10 comes first where journeys compete for a place under the cap."),
    ] = 5
    concurrency_cap: Annotated[
        Annotated[int, Field(ge=1, le=1_000_000)] | None,
        Shown("At most so many at once", help="Active, not waiting. Empty: no limit."),
    ] = None
    snapshot_attributes: Annotated[
        bool,
        Shown(
            "Keep attributes as they were at entry",
            help="Conditions in the journey then read what was true when somebody entered.",
        ),
    ] = False
    override_frequency_cap: Annotated[
        bool, Shown("Ignore the frequency cap", help="Its messages are sent however many somebody got lately.")
    ] = False
    quiet_hours: Annotated[QuietHours | None, Shown("Quiet hours")] = None
    default_timezone: Annotated[
        str | None,
        Shown(
            "Time zone",
            control="timezone",
            help="For contacts whose own is not known, such as Europe/Berlin. Empty: the installation’s.",
        ),
    ] = None
    rollout_percent: Annotated[
        Percent, Shown("Let in, in percent", help="Always the same contacts, also when you raise it later.")
    ] = 100
    holdout_percent: Annotated[
        Percent,
        Shown("Held out, in percent", help="Of those let in: they get nothing, to compare the others with."),
    ] = 0
    max_duration: Annotated[
        str | None,
        Shown("Everybody leaves after", control="duration", help="Counted from entry. Empty: whenever they are done."),
    ] = None

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
