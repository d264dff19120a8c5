"""What counts as success: the first event of a type, or the first move to a stage, in the window of a back-test."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from contacts.conditions import Aliases, BadCondition, Condition, Problem, Sql, compile_condition, explain, parse
from contacts.conditions.fragment import fill, join
from contacts.conditions.sql import ENGAGEMENT
from contacts.conditions.tree import EventCount
from scoring.lifecycle.stages import STAGES
from scoring.rulesets.rules import BadRules


@dataclass(frozen=True)
class Conversion:
    """Either `stage`, or `event` with what its properties must be (`where`)."""

    event: str = ""
    where: Condition | None = None
    stage: str = ""


def parse_conversion(raw: object, *, path: str = "conversion") -> Conversion:
    """{"event": TYPE, "where"?: CONDITION} or {"stage": STAGE}. Raises BadRules with every mistake."""
    if isinstance(raw, dict) and set(raw) == {"stage"}:
        if raw["stage"] not in STAGES:
            raise BadRules([Problem(f"{path}.stage", "wrong_value", f"expected one of {', '.join(STAGES)}")])
        return Conversion(stage=raw["stage"])
    if not isinstance(raw, dict) or "event" not in raw or set(raw) - {"event", "where"}:
        message = 'expected {"event": …} with an optional "where", or {"stage": …}'
        raise BadRules([Problem(path, "wrong_type", message)])
    try:
        condition = parse(raw, path=path)
    except BadCondition as error:
        raise BadRules(error.problems) from error
    assert isinstance(condition, EventCount)  # that is what an object with "event" is
    return Conversion(event=condition.type, where=condition.where)


def sentence(raw: Any) -> str:
    """Success in English, e.g. `event “subscribed” happened`; as it stands where it cannot be read any more."""
    try:
        return f"reached the stage {raw['stage']}" if "stage" in raw else explain(parse(raw))
    except (BadCondition, KeyError, TypeError):
        return str(raw)


def test_of_event(conversion: Conversion, *, now: datetime, contact: str, event: str) -> Sql:
    """Whether an event, a row of contact_events, is the conversion. Machines do not open or click for anybody."""
    if conversion.stage:
        return Sql("FALSE", [])
    tests = [Sql(f"{event}.type = %s", [conversion.event])]
    if conversion.event in ENGAGEMENT:
        tests.append(Sql(f"({event}.properties ->> 'is_machine') IS DISTINCT FROM 'true'", []))
    if conversion.where is not None:
        tests.append(compile_condition(conversion.where, now=now, aliases=Aliases(contact, event)))
    return join(" AND ", tests)


def first_move(conversion: Conversion, *, since: datetime, until: datetime, contact: str) -> Sql:
    """When `contact` first moved to the stage in the window: a scalar expression, NULL for never."""
    if not conversion.stage:
        return Sql("NULL::timestamptz", [])
    return fill(
        f"(SELECT min(moved.occurred_at) FROM lifecycle_events moved WHERE moved.contact_id = {contact}.id "
        "AND moved.to_stage = {stage} AND moved.occurred_at BETWEEN {since} AND {until})",
        stage=Sql("%s", [conversion.stage]),
        since=Sql("%s::timestamptz", [since]),
        until=Sql("%s::timestamptz", [until]),
    )
