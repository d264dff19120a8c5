"""Wait for a while, or until a local time. The wake time is a column; nothing sleeps."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, time
from typing import Annotated, Any, Literal

from django.conf import settings as installation
from pydantic import Field

from contacts.durations import BadDuration, parse_duration
from workflows import waits
from workflows.definition.problems import Problem
from workflows.definition.schema import Strict
from workflows.steps.base import Advance, Cohort, Outcome, StepType, WaitUntil

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


class WaitConfig(Strict):
    """`duration` with `for`, or `local_time` with `at` and perhaps `weekday`."""

    mode: Literal["duration", "local_time"]
    for_: Annotated[str | None, Field(alias="for")] = None
    at: Annotated[str | None, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")] = None
    weekday: Weekday | None = None


class Wait(StepType):
    key = "wait"
    label = "Wait"
    Config = WaitConfig

    def problems(self, config: WaitConfig, step: str) -> Iterable[Problem]:
        if config.mode == "duration":
            if config.for_ is None:
                yield Problem(step, "config.for", "missing", "say how long, for example P3D or PT2H")
            else:
                try:
                    parse_duration(config.for_)
                except BadDuration as error:
                    yield Problem(step, "config.for", "bad_value", str(error))
        elif config.at is None:
            yield Problem(step, "config.at", "missing", "say at what local time, for example 09:00")

    def run(self, cohort: Cohort, prepared: Any, now: datetime) -> list[Outcome]:
        config: WaitConfig = prepared
        arriving = any(not member.resumed for member in cohort.members)
        zones = cohort.timezones() if arriving else {}
        return [
            Advance() if member.resumed else self._wait(config, zones.get(member.contact_id, ""), cohort, now)
            for member in cohort.members
        ]

    def _wait(self, config: WaitConfig, contact_zone: str, cohort: Cohort, now: datetime) -> WaitUntil:
        tz = waits.choose_zone(contact_zone, cohort.settings.default_timezone or "", installation.DEFAULT_TIMEZONE)
        if config.mode == "duration":
            duration = parse_duration(config.for_ or "")
            wake = waits.after_duration(arrived=now, duration=duration, tz=tz, speed=installation.TIME_SPEED)
        else:
            wake = waits.next_local_time(
                arrived=now,
                at=time.fromisoformat(config.at or ""),
                weekday=None if config.weekday is None else waits.WEEKDAYS.index(config.weekday),
                tz=tz,
                speed=installation.TIME_SPEED,
            )
        return WaitUntil(at=wake.at, detail=wake.intent)
