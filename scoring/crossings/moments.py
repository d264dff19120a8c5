"""When the truth of a rule's condition may change by time alone: an event leaves its window, a date comes of age."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection

from contacts.conditions import Condition, Sql
from contacts.conditions.fields import operand
from contacts.conditions.fragment import fill, join
from contacts.conditions.tree import All, AnyOf, Comparison, EventCount, Not, Target
from contacts.durations import window
from scoring.rulesets.arithmetic import rules_of
from scoring.rulesets.rules import Ruleset

_WINDOWS = ("within_last", "not_within_last")


@dataclass(frozen=True)
class Source:
    """Instants of a contact: of its events of a type (`event`), or of a date (`target`), which is the contact's own or,
    with `event`, a property of these events. The truth may change when one comes, and `window` after it."""

    event: str
    target: Target | None
    window: timedelta


def next_moments(ruleset: Ruleset, *, contact_ids: Collection[int], now: datetime) -> dict[int, datetime]:
    """For each contact the first instant after `now` at which a condition of the rules may change its truth with
    nothing happening. One statement; none if no rule looks at the time."""
    sources = sorted(set(_sources_of(ruleset)), key=repr)
    if not sources:
        return {}
    moments = join(" UNION ALL ", (_moments(source, now) for source in sources))
    statement = fill(
        "SELECT c.id, min(m.at) FROM contacts c CROSS JOIN LATERAL {moments} AS m(at) "
        "WHERE c.id = ANY({ids}) AND m.at > {now} GROUP BY c.id",
        moments=moments,
        ids=Sql("%s", [sorted(contact_ids)]),
        now=Sql("%s", [now]),
    )
    with connection.cursor() as cursor:
        cursor.execute(statement.text, statement.params)
        return dict(cursor.fetchall())


def _sources_of(ruleset: Ruleset) -> Iterator[Source]:
    for rule in rules_of(ruleset):
        if rule.condition is not None:
            yield from _sources(rule.condition, "")
        elif rule.where is not None:
            yield from _sources(rule.where, rule.event)


def _sources(condition: Condition, event: str) -> Iterator[Source]:
    """`event` is the type of the event at hand, empty outside of one."""
    match condition:
        case All(parts) | AnyOf(parts):
            for part in parts:
                yield from _sources(part, event)
        case Not(part):
            yield from _sources(part, event)
        case EventCount():
            within = window(condition.within, speed=settings.TIME_SPEED) if condition.within else timedelta(0)
            yield Source(condition.type, None, within)
            if condition.where is not None:
                yield from _sources(condition.where, condition.type)
        case Comparison(target, op, value) if op in _WINDOWS:
            of_event = event if target.space == "event" else ""
            yield Source(of_event, target, window(str(value), speed=settings.TIME_SPEED))


def _moments(source: Source, now: datetime) -> Sql:
    """A query of one column: the instants of one source, for the contact `c`."""
    if source.target is None:
        at = Sql("e.occurred_at", [])
    else:
        at = operand(source.target, contact="c", event="e", trigger="t", now=now)
        if source.target.type == "json":
            at = fill("instant_of({at})", at=at)
    both = fill("unnest(ARRAY[{at}, {at} + {window}])", at=at, window=Sql("%s::interval", [source.window]))
    if not source.event:
        return fill("SELECT {both}", both=both)
    since = Sql("'-infinity'", []) if source.target is not None else Sql("%s", [now - source.window])
    return fill(
        "SELECT {both} FROM contact_events e WHERE e.contact_id = c.id AND e.type = {type} AND e.processed "
        "AND e.occurred_at > {since}",
        both=both,
        type=Sql("%s", [source.event]),
        since=since,
    )
