"""Wait until a condition over the contact is true, for so long at most. Who arrives when it is true goes on at once."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, ClassVar

from django.db import connection
from pydantic import Field

from contacts.conditions import BadCondition, Condition, parse
from contacts.conditions.reading import reads
from contacts.conditions.tracing import shortened, trace
from workflows.definition import phrases
from workflows.definition.conditions import STEP_SCOPE, condition_problems
from workflows.definition.problems import Problem
from workflows.definition.shown import Shown
from workflows.definition.strict import Strict
from workflows.steps.base import Advance, Cohort, KeepWaiting, Outcome, StepType
from workflows.steps.wait_for_event import HAPPENED, TIMED_OUT
from workflows.watches import deadlines, exit_sweeping


class WaitForConditionConfig(Strict):
    """`if`: a condition; `timeout`: an ISO 8601 duration."""

    if_: Annotated[
        dict[str, Any],
        Field(alias="if"),
        Shown(
            "Until this is true",
            control="condition",
            help="Whom it is true of already goes on at once.",
            scope=STEP_SCOPE,
        ),
    ]
    timeout: Annotated[str, Shown("At most", control="duration", help="Then the contact takes the other path.")]


@dataclass(frozen=True)
class Prepared:
    condition: Condition
    moves_with_time: bool
    timeout: str


class WaitForCondition(StepType):
    key = "wait_for_condition"
    label = "Wait for a condition"
    group, icon = "timing", "hourglass_empty"
    hint = "Until something is true of the contact"
    initial: ClassVar = {"timeout": "P7D"}
    Config = WaitForConditionConfig

    def ports(self, config: WaitForConditionConfig) -> tuple[str, ...]:
        return (HAPPENED, TIMED_OUT)

    def rough_ports(self, config: Mapping[str, Any]) -> tuple[str, ...]:
        return (HAPPENED, TIMED_OUT)

    def sentence(self, config: WaitForConditionConfig) -> str:
        return f"Wait until {phrases.condition(config.if_)}, for {phrases.span(config.timeout)} at most"

    def problems(self, config: WaitForConditionConfig, step: str) -> Iterable[Problem]:
        yield from deadlines.problems(config.timeout, step)
        yield from condition_problems(config.if_, step, "config.if", STEP_SCOPE)

    def watches(self, config: WaitForConditionConfig) -> Collection[str]:
        try:
            return reads(parse(config.if_, scope=STEP_SCOPE)).abouts
        except BadCondition:
            return ()

    def prepare(self, config: WaitForConditionConfig) -> Prepared:
        condition = parse(config.if_, scope=STEP_SCOPE)
        return Prepared(condition, reads(condition).moves_with_time, config.timeout)

    def run(self, cohort: Cohort, prepared: Prepared, now: datetime) -> list[Outcome]:
        answers = _answers(cohort, prepared.condition, now)
        waiting = [member for member in cohort.members if member.resumed]
        arriving = [member for member in cohort.members if not member.resumed]
        arrivals = deadlines.arrive(cohort, arriving, prepared.timeout, now)
        until = deadlines.kept(cohort, waiting, prepared.timeout, now)
        # what time alone makes true, nothing tells of: look again
        again = now + exit_sweeping.every() if prepared.moves_with_time else None
        outcomes: list[Outcome] = []
        for member in cohort.members:
            true, read = answers.get(member.enrolment_id, (False, "[]"))
            deadline = until.get(member.enrolment_id)
            if true:
                outcomes.append(Advance(port=HAPPENED, detail={"read": json.loads(shortened(read))}))
            elif deadline is None:
                outcomes.append(arrivals[member.enrolment_id])
            elif deadline <= now:
                outcomes.append(Advance(port=TIMED_OUT, detail={"read": json.loads(shortened(read))}))
            else:
                outcomes.append(KeepWaiting(at=min(deadline, again) if again else deadline))
        return outcomes


def _answers(cohort: Cohort, condition: Condition, now: datetime) -> dict[int, tuple[bool, str]]:
    """Enrolment -> whether it is true, and what was read (a JSON array). One statement."""
    traced = trace([condition], now=now, aliases=cohort.aliases)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT t.id, {traced.truths[0]}, {traced.values}::text"
            "  FROM workflow_enrolments t JOIN contacts c ON c.id = t.contact_id"
            f" CROSS JOIN LATERAL {traced.leaves.text} WHERE t.id = ANY(%s)",
            [*traced.leaves.params, cohort.enrolment_ids],
        )
        return {enrolment_id: (true, read) for enrolment_id, true, read in cursor.fetchall()}
