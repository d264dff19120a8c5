"""The goals and disqualifications of a version: whom they take out, read from the log and from the contact."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from contacts.conditions import Condition, Sql, parse
from contacts.conditions.fragment import fill, join
from contacts.conditions.reading import about_event, reads
from contacts.conditions.tracing import shortened, trace
from workflows.definition.conditions import HAPPENED_SCOPE, STEP_SCOPE
from workflows.definition.schema import Exit, ExitRule, Settings
from workflows.steps.base import member_aliases
from workflows.watches import happenings


@dataclass(frozen=True)
class Rule:
    """One of them. `number`: its place in the definition's list. Either `event`, perhaps with `where`, or
    `condition`."""

    reason: str  # goal_achieved · disqualified
    number: int
    event: str | None
    where: Condition | None
    condition: Condition | None

    @property
    def abouts(self) -> frozenset[str]:
        """After which changes it may hold."""
        if self.condition is not None:
            return reads(self.condition).abouts
        return frozenset({about_event(self.event or "")})

    @property
    def moves_with_time(self) -> bool:
        return self.condition is not None and reads(self.condition).moves_with_time


@dataclass(frozen=True)
class Verdict:
    """Why somebody leaves. `detail` is for the journal: which rule, and the event, or what its conditions read."""

    reason: str
    detail: Mapping[str, Any]


def compile_rules(exit_: Exit) -> tuple[Rule, ...]:
    """In the order in which they are asked: goals first."""
    return (*_rules("goal_achieved", exit_.goal), *_rules("disqualified", exit_.disqualify))


def _rules(reason: str, stored: Sequence[ExitRule]) -> list[Rule]:
    return [
        Rule(
            reason,
            number,
            rule.event,
            parse(rule.where, scope=HAPPENED_SCOPE) if rule.where is not None else None,
            parse(rule.condition, scope=STEP_SCOPE) if rule.condition is not None else None,
        )
        for number, rule in enumerate(stored)
    ]


def judge(
    rules: Sequence[Rule], settings: Settings, enrolment_ids: Collection[int], *, now: datetime
) -> dict[int, Verdict]:
    """Whom of these enrolments of one version its rules take out: those whose contact did such an event from the entry
    event on, or of whom such a condition is true now. One statement. Who must not have gone on meanwhile is locked
    before."""
    if not rules or not enrolment_ids:
        return {}
    aliases = member_aliases(settings)
    conditions = [rule.condition for rule in rules if rule.condition is not None]
    traced = trace(conditions, now=now, aliases=aliases)
    truths = iter(traced.truths)
    answers: list[Sql] = []
    for place, rule in enumerate(rules):
        if rule.condition is not None:
            answers.append(Sql(f"CASE WHEN {next(truths)} THEN ARRAY[{place}::bigint] END", []))
            continue
        answers.append(
            happenings.first(
                rule.event or "",
                rule.where,
                now=now,
                aliases=aliases,
                since="entry.at",
                registered="t.entered_at",
                columns=f"ARRAY[{place}::bigint, happened.id]",
            )
        )
    sql = fill(
        "SELECT id, found, read FROM ("
        f"SELECT t.id, COALESCE{{answers}} AS found, {traced.values}::text AS read"
        "  FROM workflow_enrolments t JOIN contacts c ON c.id = t.contact_id"
        f" CROSS JOIN LATERAL {happenings.ENTRY} AS entry CROSS JOIN LATERAL {{leaves}}"
        " WHERE t.id = ANY({ids}) OFFSET 0) AS judged WHERE found IS NOT NULL",
        answers=join(", ", answers),
        leaves=traced.leaves,
        ids=Sql("%s", [sorted(enrolment_ids)]),
    )
    with connection.cursor() as cursor:
        cursor.execute(sql.text, sql.params)
        return {enrolment_id: _verdict(rules, found, read) for enrolment_id, found, read in cursor.fetchall()}


def _verdict(rules: Sequence[Rule], found: Sequence[int], read: str) -> Verdict:
    rule = rules[found[0]]
    said = {"event_id": found[1]} if len(found) > 1 else {"read": json.loads(shortened(read))}
    return Verdict(rule.reason, {"rule": rule.number, **said})
