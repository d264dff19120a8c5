"""Record an event of the contact, for other journeys, segments and scores to see."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from contacts import events
from contacts.collect import strict_json
from contacts.events import NewEvent
from workflows import own_events
from workflows.definition import phrases
from workflows.definition.problems import Problem
from workflows.definition.references import filled, reference_problems
from workflows.definition.shown import Shown
from workflows.definition.strict import Name, Strict
from workflows.entry import hops
from workflows.steps.base import Advance, Cohort, Outcome, StepType


class EmitEventConfig(Strict):
    """`properties` may hold {"ref": "trigger.NAME"}, at any depth."""

    type: Annotated[
        Name, Shown("Event", control="event", help="What other journeys, segments and scores will know it by.")
    ]
    properties: Annotated[
        dict[str, Any],
        Field(max_length=100),
        Shown("Properties", control="pairs", help="What the event says beside its name."),
    ] = {}


@dataclass(frozen=True)
class Emission:
    event: NewEvent
    lane: str

    @classmethod
    def apply(cls, effects: list[Emission], now: datetime) -> None:
        events.record_batch([effect.event for effect in effects], source=events.OWN, now=now, lane=effects[0].lane)


class EmitEvent(StepType):
    key = "emit_event"
    label = "Record event"
    group, icon = "team", "bolt"
    hint = "Record an event that other journeys may wait for"
    Config = EmitEventConfig

    def problems(self, config: EmitEventConfig, step: str) -> Iterable[Problem]:
        if own_events.is_ours(config.type):
            message = f"{config.type!r} is recorded when it happens, and by nobody else; choose another name"
            yield Problem(step, "config.type", "reserved", message)
        if not config.type.isprintable():
            yield Problem(step, "config.type", "bad_value", "a type has characters that can be shown")
        yield from reference_problems(config.properties, step, "config.properties")
        if fault := strict_json.fault_in(dict(config.properties), strict_json.EVENT):
            place = ".".join(["config.properties", *(str(part) for part in fault.loc)])
            yield Problem(step, place, fault.code, fault.msg)

    def sentence(self, config: EmitEventConfig) -> str:
        known = f" with {phrases.said(config.properties)}" if config.properties else ""
        return f"Record the event {phrases.quoted(config.type)}{known}"

    def run(self, cohort: Cohort, prepared: Any, now: datetime) -> list[Outcome]:
        config: EmitEventConfig = prepared
        outcomes: list[Outcome] = []
        for member in cohort.members:
            if hops.onward(member.trigger, cohort.workflow_slug) is None:
                outcomes.append(Advance(detail={"skipped": "loop", "journeys": hops.MOST}))
                continue
            properties: Mapping[str, Any] = filled(config.properties, member.trigger)
            event = NewEvent(
                type=config.type,
                occurred_at=now,
                contact=member.contact_id,
                properties=properties,
                context=hops.context(member.trigger, cohort.workflow_slug),
                key=f"enrolment:{member.enrolment_id}:{member.seq}",
                own=True,
            )
            outcomes.append(Advance(effects=(Emission(event, cohort.lane),)))
        return outcomes
