"""What happened to a contact within the window of an experiment, as SQL over the aliases `o` (the outcome) and `c` (the
contact): the first conversion, and which guardrails were struck."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from contacts.conditions import Aliases, Sql, compile_condition, parse
from contacts.conditions.fragment import TRUE, fill, join
from contacts.conditions.sql import ENGAGEMENT, FURTHEST_AHEAD
from contacts.conditions.tree import EventCount

_WITHIN = "{at} > o.assigned_at AND {at} <= o.matures_at"


def first_conversion(goal: Mapping[str, Any], slug: str, *, now: datetime) -> Sql:
    """When the contact first reached the goal, or NULL."""
    if "stage" in goal:
        return fill(
            "(SELECT min(l.occurred_at) FROM lifecycle_events l WHERE l.contact_id = o.contact_id"
            f" AND l.to_stage = {{stage}} AND {_WITHIN.format(at='l.occurred_at')})",
            stage=Sql("%s", [goal["stage"]]),
        )
    if "goal" in goal:
        return fill(
            "(SELECT min(j.at) FROM experiment_assignments a JOIN workflow_journal j ON j.enrolment_id = a.enrolment_id"
            " WHERE a.experiment = {slug} AND a.contact_id = o.contact_id AND j.step_type = 'goal'"
            f" AND j.detail ->> 'goal' = {{goal}} AND {_WITHIN.format(at='j.at')})",
            slug=Sql("%s", [slug]),
            goal=Sql("%s", [goal["goal"]]),
        )
    return fill("(SELECT min(e.occurred_at) {events})", events=_events(goal, now=now))


def harmed(guardrails: Sequence[Mapping[str, Any]], *, now: datetime) -> Sql:
    """A number with a bit for each guardrail whose event happened, the first one the lowest."""
    bits = [
        fill(f"CASE WHEN EXISTS (SELECT {{events}}) THEN {1 << place} ELSE 0 END", events=_events(asked, now=now))
        for place, asked in enumerate(guardrails)
    ]
    return join(" | ", bits) if bits else Sql("0", [])


def _events(asked: Mapping[str, Any], *, now: datetime) -> Sql:
    """The events of the type for which the condition holds; not what machines open and click for people."""
    human = " AND (e.properties ->> 'is_machine') IS DISTINCT FROM 'true'" if asked["event"] in ENGAGEMENT else ""
    where = TRUE
    if asked.get("where"):
        node = parse({"event": asked["event"], "where": asked["where"]})
        assert isinstance(node, EventCount) and node.where is not None
        where = compile_condition(node.where, now=now, aliases=Aliases(contact="c", event="e"))
    return fill(
        "FROM contact_events e WHERE e.contact_id = o.contact_id AND e.type = {type} AND e.processed"
        f" AND {_WITHIN.format(at='e.occurred_at')} AND e.recorded_at > o.assigned_at - {{ahead}}{human} AND {{where}}",
        type=Sql("%s", [asked["event"]]),
        ahead=Sql("%s::interval", [FURTHEST_AHEAD]),
        where=where,
    )
