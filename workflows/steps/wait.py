"""Wait: for a while, until a local time, an instant, or a date that the contact has. The wake time is a column; nothing
sleeps."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, time
from typing import Annotated, Any, ClassVar, Literal
from zoneinfo import ZoneInfo

from django.conf import settings as installation
from django.db import connection
from pydantic import Field

from contacts import wall_clock
from contacts.durations import BadDuration, parse_calendar, parse_duration, parse_offset
from workflows import waits
from workflows.definition import phrases
from workflows.definition.problems import Problem
from workflows.definition.shown import Shown
from workflows.definition.strict import Name, Strict
from workflows.steps.base import Advance, Cohort, Member, Outcome, StepType, WaitUntil
from workflows.waits import Wake

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
# mode -> what it needs, what it may have; in all of them but the first `jitter` spreads those who wake together
MODES: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "duration": (("for",), ()),
    "local_time": (("at",), ("weekday",)),
    "until": (("until",), ()),
    "date_attribute": (("attribute",), ("offset", "at")),
}
HINTS = {
    "for": "say how long, for example P3D or PT2H",
    "at": "say at what local time, for example 09:00",
    "until": "say until when, for example 2027-01-31T09:00:00Z",
    "attribute": "say which attribute holds the date",
}


class WaitConfig(Strict):
    """`duration`: `for` an ISO 8601 duration. `local_time`: `at`, perhaps on a `weekday`. `until`: an instant.
    `date_attribute`: the date in `attribute`, moved by `offset` (`-P3D`: before), perhaps `at` a local time.
    `jitter`: up to so much later, another bit for everybody."""

    mode: Annotated[
        Literal["duration", "local_time", "until", "date_attribute"],
        Shown(
            "How long",
            choices={
                "duration": "For a while",
                "local_time": "Until a time of day, on the contact’s clock",
                "until": "Until a date and time",
                "date_attribute": "Until a date that the contact has",
            },
        ),
    ]
    for_: Annotated[
        str | None, Field(alias="for"), Shown("Wait for", control="period", when={"mode": ("duration",)})
    ] = None
    at: Annotated[
        str | None,
        Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$"),
        Shown(
            "Time of day",
            control="clock",
            help="9:00 means 9:00 where the contact lives, also when the clocks change.",
            when={"mode": ("local_time", "date_attribute")},
        ),
    ] = None
    weekday: Annotated[
        Weekday | None, Shown("Day of the week", choices={"": "Any day"}, when={"mode": ("local_time",)})
    ] = None
    until: Annotated[str | None, Shown("Date and time", control="instant", when={"mode": ("until",)})] = None
    attribute: Annotated[
        Name | None, Shown("Which date", control="date_attribute", when={"mode": ("date_attribute",)})
    ] = None
    offset: Annotated[str | None, Shown("Before or after it", control="offset", when={"mode": ("date_attribute",)})] = (
        None
    )
    jitter: Annotated[
        str | None, Shown("Spread over", control="duration", help="Up to so much later, another bit for everybody.")
    ] = None

    def given(self) -> dict[str, str]:
        """The settings that were said, beside the mode, under their names in the definition."""
        said = self.model_dump(by_alias=True, exclude={"mode"}, exclude_none=True)
        return {name: str(value) for name, value in said.items()}


class Wait(StepType):
    key = "wait"
    label = "Wait"
    group, icon = "timing", "schedule"
    hint = "For a while, until a time of day, or around a date"
    initial: ClassVar = {"mode": "duration", "for": "P1D"}
    Config = WaitConfig

    def sentence(self, config: WaitConfig) -> str:
        spread = f", spread over {phrases.span(config.jitter)}" if config.jitter else ""
        zone = "in the contact’s time zone"
        at = f" at {config.at} {zone}" if config.at else ""
        match config.mode:
            case "duration":
                return f"Wait {phrases.span(config.for_)}{spread}"
            case "local_time" if config.weekday:
                return f"Wait until {config.weekday.capitalize()}{at}{spread}"
            case "local_time":
                return f"Wait until it is {config.at} {zone}{spread}"
            case "until":
                return f"Wait until {config.until}{spread}"
            case _:
                side = "before" if (config.offset or "").startswith("-") else "after"
                away = f"{phrases.span(config.offset)} {side} " if config.offset else ""
                return f"Wait until {away}the date in {phrases.quoted(config.attribute)}{at}{spread}"

    def problems(self, config: WaitConfig, step: str) -> Iterable[Problem]:
        needed, optional = MODES[config.mode]
        given = config.given()
        for name in needed:
            if name not in given:
                yield Problem(step, f"config.{name}", "missing", HINTS[name])
        for name in given.keys() - {*needed, *optional, "jitter"}:
            yield Problem(step, f"config.{name}", "unknown_field", f"a wait of mode {config.mode} has no {name!r}")
        for name, read in (("for", parse_calendar), ("offset", parse_offset), ("jitter", parse_duration)):
            if name in given:
                try:
                    read(given[name])
                except BadDuration as error:
                    yield Problem(step, f"config.{name}", "bad_value", str(error))
        if config.until is not None and _instant(config.until) is None:
            yield Problem(step, "config.until", "bad_value", "an instant names its zone, as in 2027-01-31T09:00:00Z")

    def run(self, cohort: Cohort, prepared: Any, now: datetime) -> list[Outcome]:
        config: WaitConfig = prepared
        arriving = [member for member in cohort.members if not member.resumed]
        zones = cohort.timezones() if arriving else {}
        dates = _dates(config.attribute, arriving) if config.attribute and arriving else {}
        outcomes: list[Outcome] = []
        for member in cohort.members:
            if member.resumed:
                outcomes.append(Advance())
                continue
            theirs = zones.get(member.contact_id, "")
            tz = wall_clock.choose_zone(theirs, cohort.settings.default_timezone or "", installation.DEFAULT_TIMEZONE)
            wake = _wake(config, tz, dates.get(member.contact_id, ""), now)
            if wake is not None and theirs and "zone" in wake.intent and wall_clock.zone(theirs) is None:
                wake = replace(wake, intent={**wake.intent, "unknown_zone": theirs[:60]})
            outcomes.append(_outcome(config, member, wake, now))
        return outcomes


def _wake(config: WaitConfig, tz: ZoneInfo, date: str, now: datetime) -> Wake | None:
    """When it ends; None where the contact has no such date."""
    speed = installation.TIME_SPEED
    at = time.fromisoformat(config.at) if config.at else None
    match config.mode:
        case "duration":
            return waits.after_duration(arrived=now, duration=parse_calendar(config.for_ or ""), tz=tz, speed=speed)
        case "local_time":
            weekday = None if config.weekday is None else waits.WEEKDAYS.index(config.weekday)
            return waits.next_local_time(arrived=now, at=at or time(), weekday=weekday, tz=tz, speed=speed)
        case "until":
            return waits.at_instant(arrived=now, target=_instant(config.until or "") or now, speed=speed)
        case _:
            offset = parse_offset(config.offset or "PT0S")
            return waits.around_date(arrived=now, value=date, offset=offset, at=at, tz=tz, speed=speed)


def _outcome(config: WaitConfig, member: Member, wake: Wake | None, now: datetime) -> Outcome:
    if wake is None:
        return Advance(detail={"no_date": config.attribute})
    if wake.at <= now:
        return Advance(detail=wake.intent)
    if config.jitter:
        by = waits.jitter(member.enrolment_id, most=parse_duration(config.jitter).total())
        wake = waits.later(wake, by=by, speed=installation.TIME_SPEED)
    return WaitUntil(at=wake.at, detail=wake.intent)


def _instant(text: str) -> datetime | None:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return None
    return instant if instant.tzinfo else None


def _dates(attribute: str, members: Iterable[Member]) -> dict[int, str]:
    """Contact id -> the text in that attribute, of those who have one. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, (attributes -> %s)::text FROM contacts WHERE id = ANY(%s) AND attributes ? %s",
            [attribute, [member.contact_id for member in members], attribute],
        )
        found = {contact_id: json.loads(value) for contact_id, value in cursor.fetchall()}
    return {contact_id: value for contact_id, value in found.items() if isinstance(value, str)}
