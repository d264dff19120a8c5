"""Wait for an event of the contact, such as a purchase, for so long at most.

What counts happened at the arrival or later and before the deadline, whenever it is recorded. What happened before the
arrival does not count, even if it is recorded afterwards; nor does the event that started the journey."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, ClassVar

from django.db import connection

from contacts.conditions import Condition, Sql, parse
from contacts.conditions.fragment import fill
from contacts.conditions.reading import about_event
from workflows.definition import phrases
from workflows.definition.conditions import HAPPENED_SCOPE, condition_problems
from workflows.definition.problems import Problem
from workflows.definition.shown import Shown
from workflows.definition.strict import Name, Strict
from workflows.steps.base import Advance, Cohort, KeepWaiting, Member, Outcome, StepType
from workflows.watches import deadlines, happenings

HAPPENED, TIMED_OUT = "happened", "timed_out"


class WaitForEventConfig(Strict):
    """`event`: the type; `where`: a condition over `event.*` and `trigger.*`; `timeout`: an ISO 8601 duration."""

    event: Annotated[Name, Shown("Event", control="event", help="What happens from the arrival here on counts.")]
    where: Annotated[
        dict[str, Any] | None,
        Shown("Only where this is true of it", control="condition", scope=HAPPENED_SCOPE),
    ] = None
    timeout: Annotated[str, Shown("At most", control="duration", help="Then the contact takes the other path.")]


@dataclass(frozen=True)
class Prepared:
    event: str
    where: Condition | None
    timeout: str


class WaitForEvent(StepType):
    key = "wait_for_event"
    label = "Wait for an event"
    group, icon = "timing", "hourglass_top"
    hint = "Until something happens, for so long at most"
    initial: ClassVar = {"timeout": "P7D"}
    Config = WaitForEventConfig

    def ports(self, config: WaitForEventConfig) -> tuple[str, ...]:
        return (HAPPENED, TIMED_OUT)

    def rough_ports(self, config: Mapping[str, Any]) -> tuple[str, ...]:
        return (HAPPENED, TIMED_OUT)

    def sentence(self, config: WaitForEventConfig) -> str:
        which = f" where {phrases.condition(config.where)}" if config.where is not None else ""
        return f"Wait until {phrases.quoted(config.event)} happens{which}, for {phrases.span(config.timeout)} at most"

    def problems(self, config: WaitForEventConfig, step: str) -> Iterable[Problem]:
        yield from deadlines.problems(config.timeout, step)
        yield from condition_problems(config.where, step, "config.where", HAPPENED_SCOPE)

    def watches(self, config: WaitForEventConfig) -> Collection[str]:
        return {about_event(config.event)}

    def prepare(self, config: WaitForEventConfig) -> Prepared:
        where = parse(config.where, scope=HAPPENED_SCOPE) if config.where is not None else None
        return Prepared(config.event, where, config.timeout)

    def run(self, cohort: Cohort, prepared: Prepared, now: datetime) -> list[Outcome]:
        waiting = [member for member in cohort.members if member.resumed]
        arriving = [member for member in cohort.members if not member.resumed]
        outcomes: dict[int, Outcome] = {**deadlines.arrive(cohort, arriving, prepared.timeout, now)}
        until = deadlines.kept(cohort, waiting, prepared.timeout, now)
        events = _happened(cohort, prepared, until, now)
        for member in waiting:
            outcomes[member.enrolment_id] = _outcome(member, events, until, now)
        return [outcomes[member.enrolment_id] for member in cohort.members]


def _outcome(
    member: Member, events: Mapping[int, int], until: Mapping[int, datetime], now: datetime
) -> Advance | KeepWaiting:
    deadline = until[member.enrolment_id]
    if member.enrolment_id in events:
        return Advance(port=HAPPENED, detail={"event_id": events[member.enrolment_id]})
    return Advance(port=TIMED_OUT) if deadline <= now else KeepWaiting(at=deadline)


def _happened(cohort: Cohort, prepared: Prepared, until: Mapping[int, datetime], now: datetime) -> dict[int, int]:
    """Enrolment -> the event that it waited for, of those for whom it happened. One statement, or none."""
    if not until:
        return {}
    found = happenings.first(
        prepared.event,
        prepared.where,
        now=now,
        aliases=cohort.aliases,
        since="t.waiting_since",
        registered="t.waiting_since",
        until="d.deadline",
    )
    enrolment_ids: Sequence[int] = list(until)
    sql = fill(
        "SELECT id, event_id FROM (SELECT t.id, {found} AS event_id"
        "  FROM unnest({ids}::bigint[], {deadlines}::timestamptz[]) AS d(id, deadline)"
        "  JOIN workflow_enrolments t ON t.id = d.id JOIN contacts c ON c.id = t.contact_id OFFSET 0) AS looked"
        " WHERE event_id IS NOT NULL",
        found=found,
        ids=Sql("%s", [enrolment_ids]),
        deadlines=Sql("%s", [[until[enrolment_id] for enrolment_id in enrolment_ids]]),
    )
    with connection.cursor() as cursor:
        cursor.execute(sql.text, sql.params)
        return dict(cursor.fetchall())
