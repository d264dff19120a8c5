"""Branch: the first arm whose condition is true at the moment of arrival, else `else`. One statement per cohort."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from django.db import connection
from pydantic import Field

from contacts.conditions import Aliases, Condition, compile_condition, parse
from workflows.definition.conditions import STEP_SCOPE, condition_problems
from workflows.definition.problems import Problem
from workflows.definition.strict import Strict
from workflows.steps.base import Advance, Cohort, Outcome, StepType


class Arm(Strict):
    key: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,60}$")]
    if_: Annotated[dict[str, Any], Field(alias="if")]


class BranchConfig(Strict):
    arms: Annotated[list[Arm], Field(min_length=1, max_length=20)]


@dataclass(frozen=True)
class Prepared:
    arms: tuple[tuple[str, Condition], ...]


class Branch(StepType):
    key = "branch"
    label = "If / else"
    Config = BranchConfig

    def ports(self, config: BranchConfig) -> tuple[str, ...]:
        return (*(arm.key for arm in config.arms), "else")

    def problems(self, config: BranchConfig, step: str) -> Iterable[Problem]:
        seen: set[str] = set()
        for index, arm in enumerate(config.arms):
            if arm.key in seen or arm.key == "else":
                yield Problem(step, f"config.arms.{index}.key", "duplicate", f"the arm {arm.key!r} is there already")
            seen.add(arm.key)
            yield from condition_problems(arm.if_, step, f"config.arms.{index}.if", STEP_SCOPE)

    def prepare(self, config: BranchConfig) -> Prepared:
        return Prepared(arms=tuple((arm.key, parse(arm.if_, scope=STEP_SCOPE)) for arm in config.arms))

    def run(self, cohort: Cohort, prepared: Prepared, now: datetime) -> list[Outcome]:
        cases: list[str] = []
        params: list[Any] = []
        for key, condition in prepared.arms:
            sql = compile_condition(condition, now=now, aliases=Aliases(contact="c", trigger="t"))
            cases.append(f"WHEN {sql.text} THEN %s")
            params += [*sql.params, key]
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT t.id, CASE {' '.join(cases)} ELSE 'else' END"
                "  FROM workflow_enrolments t JOIN contacts c ON c.id = t.contact_id WHERE t.id = ANY(%s)",
                [*params, [member.enrolment_id for member in cohort.members]],
            )
            arms = dict(cursor.fetchall())
        return [Advance(port=arms.get(member.enrolment_id, "else")) for member in cohort.members]
