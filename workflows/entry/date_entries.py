"""Workflows that a date of the contact starts: dates that fall due soon are written down, and enter when they are due.

Once an hour, at the latest, all contacts are looked through, a page at a time, for what falls due within the next day.
What changes about a contact meanwhile is looked at in the transaction of the change. A date is read again when it is
due: the occasion that it has then counts, and each occasion of a contact starts a workflow once.

A date that was past when the workflow was published, or when the contact got it, starts nobody."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings as installation
from django.db import connection

from contacts import freezing
from contacts.wall_clock import choose_zone
from workflows import versions
from workflows.entry import occasions
from workflows.entry.occasions import Occasion, Rule
from workflows.models import TriggerSchedule
from workflows.triggers.date import Date
from workflows.versions import CompiledVersion

KIND = "date"
AHEAD = timedelta(hours=25)
EVERY = timedelta(minutes=30)
PAGE = 20_000  # contacts that are looked through at once


@dataclass(frozen=True)
class Person:
    """A contact who has something in the attribute."""

    contact_id: int
    timezone: str
    value: str


def arrange(version: CompiledVersion, *, now: datetime) -> None:
    """Look through everybody, soon, in the transaction that publishes the version. Only what falls due from now on."""
    TriggerSchedule.objects.create(
        workflow_id=version.workflow_id, version_id=version.id, kind=KIND, next_at=now, seen_to=now
    )


def forget(workflow_id: int, *, now: datetime) -> None:
    """What was written down for later is not true any more, in the transaction that publishes or archives. What is due
    by now stays: it is read again when it enters."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM date_entries WHERE workflow_id = %s AND done_at IS NULL AND due_at > %s", [workflow_id, now]
        )


def look_through(*, now: datetime, page: int = PAGE) -> bool:
    """The next page of contacts, for the workflow whose round is due, in the caller's transaction. Returns whether
    there was one."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT workflow_id, version_id, position, COALESCE(round_to, %s), LEAST(seen_to, %s)
              FROM trigger_schedules WHERE kind = 'date' AND next_at <= %s AND {freezing.THAWED}
             ORDER BY next_at LIMIT 1 FOR UPDATE SKIP LOCKED
            """,
            [now + AHEAD, now, now],
        )
        row = cursor.fetchone()
        if row is None:
            return False
        workflow_id, version_id, position, until, after = row
        cursor.execute(
            "SELECT max(id) FROM (SELECT id FROM contacts WHERE id > %s ORDER BY id LIMIT %s) p", [position, page]
        )
        (end,) = cursor.fetchone()
        if end is not None:
            version = versions.load([version_id])[version_id]
            found = _due(version, _people(version, position, end, after, until), after=after, until=until)
            _write(workflow_id, _without_late_ones(version, found, now) if after < now else found)
            cursor.execute(
                "UPDATE trigger_schedules SET position = %s, round_to = %s WHERE workflow_id = %s",
                [end, until, workflow_id],
            )
        else:
            cursor.execute(
                "UPDATE trigger_schedules SET position = 0, round_to = NULL, seen_to = %s, next_at = %s"
                " WHERE workflow_id = %s",
                [until, now + EVERY, workflow_id],
            )
    return True


def look_again(contact_ids: Collection[int], *, now: datetime) -> None:
    """These contacts changed: what falls due soon for them is written down, in the caller's transaction. One statement
    where no workflow starts by a date, else two more for each that does."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT version_id FROM trigger_schedules WHERE kind = 'date' ORDER BY workflow_id")
        arranged = [version_id for (version_id,) in cursor.fetchall()]
    compiled = versions.load(arranged)
    for version in (compiled[version_id] for version_id in arranged):
        people = people_of(version, contact_ids).values()
        _write(version.workflow_id, _due(version, people, after=now, until=now + AHEAD))


def people_of(version: CompiledVersion, contact_ids: Collection[int]) -> dict[int, Person]:
    """Those of these contacts who have text in the attribute of the version's trigger. One statement."""
    return {
        person.contact_id: person
        for person in _read("c.id = ANY(%s)", [sorted(set(contact_ids))], _trigger(version).attribute)
    }


def occasion(version: CompiledVersion, person: Person, name: str) -> Occasion | None:
    """The occasion of that name, if the contact still has it."""
    return occasions.named(person.value, rule_of(version), name, tz=_zone(version, person))


def rule_of(version: CompiledVersion) -> Rule:
    trigger = _trigger(version)
    return Rule(trigger.moved_by, trigger.local_time, trigger.every_year)


def _trigger(version: CompiledVersion) -> Date:
    trigger = version.definition.entry.trigger
    assert isinstance(trigger, Date)
    return trigger


def _zone(version: CompiledVersion, person: Person) -> Any:
    return choose_zone(
        person.timezone, version.definition.settings.default_timezone or "", installation.DEFAULT_TIMEZONE
    )


def _due(
    version: CompiledVersion, people: Iterable[Person], *, after: datetime, until: datetime
) -> list[tuple[int, Occasion]]:
    rule = rule_of(version)
    return [
        (person.contact_id, found)
        for person in people
        for found in occasions.within(person.value, rule, tz=_zone(version, person), after=after, until=until)
    ]


def _people(version: CompiledVersion, start: int, end: int, after: datetime, until: datetime) -> Iterable[Person]:
    """Whose date may fall due then, of the contacts after `start` up to `end`: text that begins with such a day."""
    rule = rule_of(version)
    first, last = occasions.days(rule, after=after, until=until)
    where = "c.id > %s AND c.id <= %s"
    params: list[Any] = [start, end]
    day = "ltrim(c.attributes ->> %s)"
    attribute = _trigger(version).attribute
    if not rule.every_year:
        where += f" AND left({day}, 10) BETWEEN %s AND %s"
        params += [attribute, first.isoformat(), last.isoformat()]
    elif (of_the_year := occasions.days_of_the_year(first, last)) is not None:
        where += f" AND substr({day}, 6, 5) = ANY(%s)"
        params += [attribute, of_the_year]
    return _read(where, params, attribute)


def _read(where: str, params: list[Any], attribute: str) -> list[Person]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.id, c.timezone, c.attributes ->> %s FROM contacts c"
            f" WHERE {where} AND jsonb_typeof(c.attributes -> %s) = 'string'"
            "   AND c.merged_into_id IS NULL AND c.erased_at IS NULL ORDER BY c.id",
            [attribute, *params, attribute],
        )
        return [Person(*row) for row in cursor.fetchall()]


def _without_late_ones(
    version: CompiledVersion, found: list[tuple[int, Occasion]], now: datetime
) -> list[tuple[int, Occasion]]:
    """After a time in which nobody looked through: without dates that were past when the contact got them."""
    late = [(contact_id, each) for contact_id, each in found if each.due_at <= now]
    if not late:
        return found
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT d.contact_id, d.occasion FROM unnest(%s::bigint[], %s::text[], %s::timestamptz[])
                   AS d(contact_id, occasion, due_at)
              JOIN contacts c ON c.id = d.contact_id
             WHERE c.created_at > d.due_at OR EXISTS (
                   SELECT FROM contact_changes h
                    WHERE h.contact_id = d.contact_id AND h.kind = 'attribute' AND h.name = %s
                      AND h.changed_at > d.due_at)
            """,
            [
                [contact_id for contact_id, _ in late],
                [each.name for _, each in late],
                [each.due_at for _, each in late],
                _trigger(version).attribute,
            ],
        )
        new = {(contact_id, name) for contact_id, name in cursor.fetchall()}
    return [(contact_id, each) for contact_id, each in found if (contact_id, each.name) not in new]


def _write(workflow_id: int, found: list[tuple[int, Occasion]]) -> None:
    """Another zone moves an occasion that has not entered yet. One statement, or none."""
    if not found:
        return
    rows: Mapping[tuple[int, str], Occasion] = {(contact_id, each.name): each for contact_id, each in found}
    ordered = sorted(rows)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO date_entries (workflow_id, contact_id, occasion, due_at)
            SELECT %s, d.* FROM unnest(%s::bigint[], %s::text[], %s::timestamptz[]) AS d
            ON CONFLICT ON CONSTRAINT one_date_entry_per_workflow_contact_and_date DO UPDATE
               SET due_at = EXCLUDED.due_at
             WHERE date_entries.done_at IS NULL AND date_entries.due_at <> EXCLUDED.due_at
            """,
            [
                workflow_id,
                [contact_id for contact_id, _ in ordered],
                [name for _, name in ordered],
                [rows[place].due_at for place in ordered],
            ],
        )
