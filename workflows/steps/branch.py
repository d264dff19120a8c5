"""Branch: the first arm whose condition is true at the moment of arrival, else `else`. One statement per cohort."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, ClassVar

from django.db import connection
from pydantic import Field

from contacts.conditions import Condition, parse
from contacts.conditions.tracing import shortened, trace
from workflows.definition import phrases
from workflows.definition.conditions import STEP_SCOPE, condition_problems
from workflows.definition.problems import Problem
from workflows.definition.shown import Shown
from workflows.definition.strict import Strict
from workflows.steps.base import Advance, Cohort, Outcome, StepType, rough_keys


class Arm(Strict):
    key: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,60}$")]
    if_: Annotated[dict[str, Any], Field(alias="if")]


class BranchConfig(Strict):
    arms: Annotated[
        list[Arm],
        Field(min_length=1, max_length=20),
        Shown(
            "Paths",
            control="arms",
            help="The first path whose condition is true is taken; who meets none of them takes the last one.",
            scope=STEP_SCOPE,
        ),
    ]


@dataclass(frozen=True)
class Prepared:
    arms: tuple[tuple[str, Condition], ...]


class Branch(StepType):
    key = "branch"
    label = "If / else"
    group, icon = "logic", "call_split"
    hint = "Split by what is true of the contact now"
    initial: ClassVar = {"arms": [{"key": "yes", "if": {"all": []}}]}
    Config = BranchConfig

    def ports(self, config: BranchConfig) -> tuple[str, ...]:
        return (*(arm.key for arm in config.arms), "else")

    def rough_ports(self, config: Mapping[str, Any]) -> tuple[str, ...]:
        return (*rough_keys(config.get("arms")), "else")

    def caption(self, config: Mapping[str, Any], port: str) -> str:
        if port == "else":
            return "No" if rough_keys(config.get("arms")) == ("yes",) else "Otherwise"
        return super().caption(config, port)

    def sentence(self, config: BranchConfig) -> str:
        paths = [f"{phrases.quoted(arm.key)} if {phrases.condition(arm.if_)}" for arm in config.arms]
        return f"Take the first path that is true: {'; '.join(paths)}; otherwise “else”"

    def problems(self, config: BranchConfig, step: str) -> Iterable[Problem]:
        seen: set[str] = set()
        for index, arm in enumerate(config.arms):
            if arm.key in seen or arm.key == "else":
                yield Problem(step, f"config.arms.{index}.key", "duplicate", f"the path {arm.key!r} is there already")
            seen.add(arm.key)
            yield from condition_problems(arm.if_, step, f"config.arms.{index}.if", STEP_SCOPE)

    def prepare(self, config: BranchConfig) -> Prepared:
        return Prepared(arms=tuple((arm.key, parse(arm.if_, scope=STEP_SCOPE)) for arm in config.arms))

    def run(self, cohort: Cohort, prepared: Prepared, now: datetime) -> list[Outcome]:
        traced = trace([condition for _, condition in prepared.arms], now=now, aliases=cohort.aliases)
        cases = " ".join(f"WHEN {truth} THEN {number}" for number, truth in enumerate(traced.truths))
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT t.id, CASE {cases} END, {traced.values}::text"
                f"  FROM workflow_enrolments t JOIN contacts c ON c.id = t.contact_id"
                f" CROSS JOIN LATERAL {traced.leaves.text} WHERE t.id = ANY(%s)",
                [*traced.leaves.params, cohort.enrolment_ids],
            )
            found = {enrolment_id: (arm, read) for enrolment_id, arm, read in cursor.fetchall()}
        return [self._outcome(prepared, *found.get(member.enrolment_id, (None, "[]"))) for member in cohort.members]

    def _outcome(self, prepared: Prepared, arm: int | None, read: str) -> Outcome:
        """The journal keeps the values that were read, in the order of the arms' questions."""
        port = "else" if arm is None else prepared.arms[arm][0]
        return Advance(port=port, detail=f'{{"read":{shortened(read)}}}')
