"""A rule applied to those whose cause came before it: counted first, and worked off in pages on the bulk lane.

A run is a row; a page of contacts is one transaction with the row that says how far it came. Who is no longer in a
stage that the rule takes people from is left where they are, so doing it again changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from contacts import doorbell
from contacts.conditions import Sql
from contacts.conditions.fragment import fill
from contacts.patience import row_within
from scoring.lifecycle import progression, progression_rules, stages
from scoring.lifecycle.causes import EventHappened, Progression, ScoreReached
from scoring.rulesets import reading

BELL = "scoring.catch_up"
LANE = "bulk"
PAGE = 500
PATIENCE_MS = 4000

_WHOM = """
    FROM contacts c LEFT JOIN lifecycle_current s ON s.contact_id = c.id
   WHERE c.merged_into_id IS NULL AND c.erased_at IS NULL AND COALESCE(s.stage, '') = ANY({sources}::text[])
"""


@dataclass(frozen=True)
class Run:
    """How far one came: `moved` contacts so far; `finished_at` None while it is worked on."""

    rule_key: str
    moved: int
    asked_by: str
    asked_at: datetime
    finished_at: datetime | None


def count(rule: Progression, *, now: datetime) -> int | None:
    """How many contacts the rule would move now, in the caller's transaction; None where counting takes too long."""
    met = _met(rule, now)
    if met is None:
        return 0
    found = fill("SELECT count(*)" + _WHOM + " AND {met}", sources=Sql("%s", [list(rule.from_stages)]), met=met)
    row = row_within(PATIENCE_MS, found.text, list(found.params))
    return None if row is None else int(row[0])


def ask(key: str, *, by: str, now: datetime) -> None:
    """Have the rule applied to everybody whose cause came before, in the caller's transaction. One that is worked on
    already begins again, so nobody is missed."""
    assert connection.in_atomic_block, "a run is asked for in the caller's transaction"
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO lifecycle_progression_runs (rule_key, checked_up_to, moved, asked_by, asked_at)
            VALUES (%s, 0, 0, %s, %s)
            ON CONFLICT (rule_key) DO UPDATE SET checked_up_to = 0, moved = 0, asked_by = EXCLUDED.asked_by,
                                                 asked_at = EXCLUDED.asked_at, finished_at = NULL
            """,
            [key, by, now],
        )
    doorbell.ring_on_commit(BELL, LANE)


def runs() -> dict[str, Run]:
    """The last run of each rule, by its key. One statement."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT rule_key, moved, asked_by, asked_at, finished_at FROM lifecycle_progression_runs")
        return {row[0]: Run(*row) for row in cursor.fetchall()}


def is_waiting() -> bool:
    """Whether there is anything to work off."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM lifecycle_progression_runs WHERE finished_at IS NULL)")
        return bool(cursor.fetchone()[0])


def work_batch(*, now: datetime) -> bool:
    """The next page of the oldest run, inside the caller's transaction. Returns whether there was one."""
    assert connection.in_atomic_block, "work_batch needs the caller's transaction"
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT rule_key, checked_up_to, asked_by FROM lifecycle_progression_runs WHERE finished_at IS NULL
             ORDER BY asked_at, rule_key LIMIT 1 FOR UPDATE SKIP LOCKED
            """
        )
        row = cursor.fetchone()
    if row is None:
        return False
    key, after, by = row
    rule = progression_rules.find(key)
    met = _met(rule, now) if rule is not None and rule.is_active else None
    page = _page(after) if met is not None else []
    moved: list[int] = []
    if rule is not None and met is not None and page:
        moved = stages.move(
            contact_ids=_concerned(rule, met, after, page[-1]),
            to_stage=rule.to_stage,
            reason=f"{_cause(rule)}, before the rule",
            source=rule.source,
            now=now,
            only_from=rule.from_stages,
            lane=LANE,
            actor=by,
        )
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE lifecycle_progression_runs SET checked_up_to = %s, moved = moved + %s, finished_at = %s"
            " WHERE rule_key = %s",
            [page[-1] if page else after, len(moved), None if page else now, key],
        )
    return True


def _page(after: int) -> Sequence[int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM contacts WHERE id > %s ORDER BY id LIMIT %s", [after, PAGE])
        return [contact_id for (contact_id,) in cursor.fetchall()]


def _concerned(rule: Progression, met: Sql, after: int, upto: int) -> Sequence[int]:
    found = fill(
        "SELECT c.id" + _WHOM + " AND c.id > {after} AND c.id <= {upto} AND {met} ORDER BY c.id",
        sources=Sql("%s", [list(rule.from_stages)]),
        after=Sql("%s", [after]),
        upto=Sql("%s", [upto]),
        met=met,
    )
    with connection.cursor() as cursor:
        cursor.execute(found.text, list(found.params))
        return [contact_id for (contact_id,) in cursor.fetchall()]


def _met(rule: Progression, now: datetime) -> Sql | None:
    """Whether the rule's cause has come for the contact c; None where it cannot have come for anybody."""
    if isinstance(rule.cause, EventHappened):
        return fill(
            "EXISTS (SELECT FROM contact_events e WHERE e.contact_id = c.id AND e.processed AND e.occurred_at <= {now}"
            " AND {cause} OFFSET 0)",
            now=Sql("%s::timestamptz", [now]),
            cause=progression.cause_sql(rule, event="e", contact="c", now=now),
        )
    threshold = rule.cause.threshold
    if threshold is None:
        ruleset = reading.active_ruleset(rule.cause.name)
        if ruleset is None:
            return None
        threshold = ruleset.mql_threshold
    return Sql(
        "EXISTS (SELECT FROM score_sides side WHERE side.contact_id = c.id AND side.score_name = %s"
        " AND side.threshold = %s AND side.above)",
        [rule.cause.name, threshold],
    )


def _cause(rule: Progression) -> str:
    if isinstance(rule.cause, ScoreReached):
        return (
            "score reached the threshold" if rule.cause.threshold is None else f"score reached {rule.cause.threshold:g}"
        )
    return f"event {rule.cause.type}"
