"""What production looks at again and again, since time alone may change it. A scratch does not make the looks one by
one that would find nothing: it asks ahead which of them is the first that finds something."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from contacts.audiences import definitions, suspects, sweeping
from contacts.conditions import compile_condition
from workflows import versions
from workflows.steps import wait_for_condition
from workflows.steps.base import member_aliases
from workflows.versions import CompiledVersion
from workflows.watches import deadlines, exit_rules, exit_sweeping

STRIDE = timedelta(hours=1)  # how far apart two questions are, between which a change is narrowed down by halves


@dataclass(frozen=True)
class Look:
    """A look that is made `every` so often; `finds(at)` asks, without writing, whether it would find something then."""

    every: timedelta
    finds: Callable[[datetime], bool]

    def first(self, after: datetime, until: datetime) -> datetime | None:
        """The first of the looks in (`after`, `until`] that finds something."""
        number = int((until - after) / self.every)  # they are made at after + n * every, n from 1 on
        stride = max(int(STRIDE / self.every), 1)
        passed = 0
        while passed < number:
            ahead = min(passed + stride, number)
            if self.finds(after + ahead * self.every):
                while ahead - passed > 1:
                    middle = (passed + ahead) // 2
                    passed, ahead = (passed, middle) if self.finds(after + middle * self.every) else (middle, ahead)
                return after + ahead * self.every
            passed = ahead
        return None


@dataclass(frozen=True)
class Polled:
    """Enrolments that wait at one step for a condition which time alone may make true."""

    version: CompiledVersion
    step: str
    enrolment_ids: tuple[int, ...]


def all_looks(polled: list[Polled]) -> Iterator[Look]:
    yield from _segments()
    yield from _exits()
    for each in polled:
        yield Look(exit_sweeping.every(), _comes_true(each))


def polled() -> list[Polled]:
    """Who waits so. Two statements at most, and one for each version that this process has not met."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT version_id, step, array_agg(id ORDER BY id) FROM workflow_enrolments"
            " WHERE state = 'waiting' GROUP BY 1, 2 ORDER BY 1, 2"
        )
        rows = cursor.fetchall()
    compiled = versions.load(version_id for version_id, _, _ in rows)
    return [
        Polled(compiled[version_id], step, tuple(ids))
        for version_id, step, ids in rows
        if isinstance(found := compiled[version_id].steps[step].prepared, wait_for_condition.Prepared)
        and found.moves_with_time
    ]


def ends(polled: Polled, *, after: datetime) -> datetime | None:
    """When the first of these waits ends without a look: by its deadline, or by the longest duration."""
    longest: Any = polled.version.max_duration
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT min(LEAST(arrival.until, e.entered_at + %s))
              FROM workflow_enrolments e
             CROSS JOIN LATERAL (
                   SELECT (detail ->> %s)::timestamptz AS until FROM workflow_journal j
                    WHERE j.enrolment_id = e.id AND j.step = %s AND j.outcome = 'waiting'
                    ORDER BY j.seq DESC LIMIT 1) AS arrival
             WHERE e.id = ANY(%s) AND LEAST(arrival.until, e.entered_at + %s) > %s
            """,
            [
                longest,
                deadlines.KEPT,
                polled.step,
                list(polled.enrolment_ids),
                longest,
                after,
            ],
        )
        return cursor.fetchone()[0]


def _segments() -> Iterator[Look]:
    moving = [definition for definition in definitions.load() if definition.live and definition.moves_with_time]
    last = suspects.next_chunk(after=0, size=2**31) if moving else None
    if last is not None:
        yield Look(sweeping.EVERY, lambda at: bool(suspects.find(moving, after=0, upto=last, now=at)))


def _exits() -> Iterator[Look]:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT s.version_id, array_agg(e.id ORDER BY e.id) FROM exit_sweeps s
              JOIN workflow_enrolments e ON e.version_id = s.version_id
               AND e.state IN ('pending', 'active', 'waiting')
             GROUP BY 1 ORDER BY 1
            """
        )
        rows = cursor.fetchall()
    for version_id, enrolment_ids in rows:
        version = versions.load([version_id])[version_id]
        yield Look(exit_sweeping.every(), _rule_comes_true(version, enrolment_ids))


def _rule_comes_true(version: CompiledVersion, enrolment_ids: list[int]) -> Callable[[datetime], bool]:
    moving = [rule for rule in version.exits if rule.moves_with_time]
    return lambda at: bool(exit_rules.judge(moving, version.definition.settings, enrolment_ids, now=at))


def _comes_true(polled: Polled) -> Callable[[datetime], bool]:
    prepared: wait_for_condition.Prepared = polled.version.steps[polled.step].prepared
    aliases = member_aliases(polled.version.definition.settings)

    def finds(at: datetime) -> bool:
        sql = compile_condition(prepared.condition, now=at, aliases=aliases)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT EXISTS (SELECT FROM workflow_enrolments t JOIN contacts c ON c.id = t.contact_id"
                f" WHERE t.id = ANY(%s) AND {sql.text})",
                [list(polled.enrolment_ids), *sql.params],
            )
            return bool(cursor.fetchone()[0])

    return finds
