"""What events were worth, on a contact's timeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.db import connection

from contacts import timeline
from contacts.conditions import Sql
from contacts.conditions.fragment import FALSE, fill
from contacts.timeline import Entry, Mark
from scoring.projection import compiler
from scoring.projection.reasons import weights_of
from scoring.rulesets import reading, wording
from scoring.rulesets.arithmetic import rules_of
from scoring.rulesets.rules import LEAD, Rule, Ruleset


def points(*, contact_id: int, entries: Sequence[Entry], now: datetime) -> Mapping[int, Mark]:
    """The raw points that the active rules of the lead score give for each of these events, where they give any. At
    most two statements."""
    ruleset = reading.active_ruleset(LEAD)
    if ruleset is None:
        return {}
    types = set(compiler.event_types(ruleset))
    scoring = [entry for entry in entries if entry.type in types]
    if not scoring:
        return {}
    marks = {}
    for event_id, flags in _counted(ruleset, contact_id, scoring, now):
        worth = [
            (rule, rule.points * weight)
            for rule, weight, counts in zip(rules_of(ruleset), weights_of(ruleset), flags, strict=True)
            if counts
        ]
        if worth:
            total = sum(each for _, each in worth)
            said = "; ".join(f"{rule.name} {wording.signed(each)}" for rule, each in worth)
            marks[event_id] = Mark(wording.signed(total), "bad" if total < 0 else "good", f"When fresh: {said}")
    return marks


def _counted(
    ruleset: Ruleset, contact_id: int, entries: Sequence[Entry], now: datetime
) -> list[tuple[int, list[bool]]]:
    """Each event with a flag for every rule: whether it gives points by it. One statement."""
    flags = [
        fill(f"{{gives}} AS gives{place}", gives=_gives(rule, now)) for place, rule in enumerate(rules_of(ruleset))
    ]
    events = compiler.scoring_events(ruleset, at=now, contact="c", until=now)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT * FROM (SELECT {compiler.EVENT}.id, {', '.join(flag.text for flag in flags)} FROM contacts c "
            f"CROSS JOIN LATERAL ({events.text}) {compiler.EVENT} WHERE c.id = %s) found WHERE found.id = ANY(%s)",
            [
                *(param for flag in flags for param in flag.params),
                *events.params,
                contact_id,
                [entry.id for entry in entries],
            ],
        )
        return [(event_id, found) for event_id, *found in cursor.fetchall()]


def _gives(rule: Rule, now: datetime) -> Sql:
    """Whether the rule counts the event at hand; of those that repeat, only the newest (of its period)."""
    if rule.condition is not None:
        return FALSE
    counts = compiler.counts(rule, at=now, contact="c")
    if rule.repeat.policy == "every_time":
        return counts
    period = f", {compiler.period(rule)}" if rule.repeat.policy == "once_per" else ""
    newest = f"ORDER BY {compiler.EVENT}.occurred_at DESC, {compiler.EVENT}.id DESC"
    return fill(f"({{counts}} AND row_number() OVER (PARTITION BY {{counts}}{period} {newest}) = 1)", counts=counts)


timeline.register_marker("events", points)
