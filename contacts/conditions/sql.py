"""The one compiler: a condition becomes one boolean SQL expression. There is no second evaluator in Python.

Two-valued throughout: whatever may be NULL (a missing field, a value of another type) is made false where it arises,
before anything is negated or combined, so that NOT is exact.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection

from contacts.conditions.builtin import NODES
from contacts.conditions.fields import operand
from contacts.conditions.fragment import FALSE, TRUE, Sql, fill, join
from contacts.conditions.operators import OPERATORS, Operator
from contacts.conditions.tree import All, AnyOf, Comparison, Condition, EventCount, Named, Not, Ref, Target
from contacts.durations import window

# Opened and clicked by people; what a mail server or a scanner fetched is stored, but is no engagement.
ENGAGEMENT = ("email_opened", "email_clicked")
# An event more than a day ahead of its recording is rejected at the door (a day for good measure): so a window on
# `occurred_at` is also one on `recorded_at`, which spares the partitions before it.
FURTHEST_AHEAD = timedelta(days=2)
_COUNTED = "counted"  # the alias of the events that an event node counts

_CAST = {"text": "text", "number": "numeric", "boolean": "boolean", "instant": "timestamptz", "json": "jsonb"}
# A value of the entry event as the type of the field it is compared with; NULL if it is of another type.
_REFERRED = {
    "text": "CASE WHEN jsonb_typeof({r}) = 'string' THEN {r} #>> '{}' END",
    "number": "CASE WHEN jsonb_typeof({r}) = 'number' THEN ({r})::numeric END",
    "boolean": "CASE WHEN jsonb_typeof({r}) = 'boolean' THEN ({r})::boolean END",
    "instant": "instant_of({r})",
    "json": "NULLIF({r}, 'null'::jsonb)",
}


@dataclass(frozen=True)
class Aliases:
    """How the surrounding statement calls its rows: of contacts; of contact_events (scope event); of anything with a
    jsonb column `trigger`, such as workflow_enrolments (scope trigger). Taken are counted, found, item, tag, tagged.
    `attributes`: the expression to read attributes from, where it is not the contact's own column."""

    contact: str = "c"
    event: str = "e"
    trigger: str = "t"
    attributes: str = ""


def compile_condition(condition: Condition, *, now: datetime, aliases: Aliases = Aliases()) -> Sql:
    """A boolean expression over the aliases, in brackets, that is never NULL.

    `now` (aware) is the end of every window; settings.TIME_SPEED shortens windows. The text holds no value: every one
    is in `params`, for the `%s` in their order."""
    return fill("({t})", t=_Compiler(now, aliases, settings.TIME_SPEED).compile(condition))


def matching_contacts(condition: Condition, *, contact_ids: Sequence[int], now: datetime) -> set[int]:
    """Those of `contact_ids` for which the condition (of scope contact) is true at `now`. One statement."""
    if not contact_ids:
        return set()
    where = compile_condition(condition, now=now)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT c.id FROM contacts AS c WHERE c.id = ANY(%s::bigint[]) AND {where.text}",
            [list(contact_ids), *where.params],
        )
        return {row[0] for row in cursor.fetchall()}


@dataclass(frozen=True)
class _Compiler:
    now: datetime
    aliases: Aliases
    speed: float

    def compile(self, condition: Condition) -> Sql:
        match condition:
            case All(parts):
                return join(" AND ", map(self.compile, parts)) if parts else TRUE
            case AnyOf(parts):
                return join(" OR ", map(self.compile, parts)) if parts else FALSE
            case Not(part):
                return _negated(self.compile(part))
            case Named(kind, name):
                return fill("({t})", t=NODES[kind].sql(name, self.aliases.contact, self.now))
            case Comparison():
                return self.comparison(condition)
            case EventCount():
                return self.event_count(condition)

    # -- comparisons ---------------------------------------------------------------------------------------------------

    def comparison(self, node: Comparison) -> Sql:
        operator, kind = OPERATORS[node.op], node.target.type
        x = self.operand(node.target)
        referred = isinstance(node.value, Ref)
        if kind == "number":
            x = fill("({x})::numeric", x=x)
        elif kind == "text" and referred:
            x = fill("NULLIF({x}, '')", x=x)  # a missing field does not even contain the empty text
        truth = fill(operator.sql[kind], x=x, **self.values(operator, kind, node.value))
        truth = fill("({t})", t=truth) if node.target.stored and not referred else fill("COALESCE({t}, FALSE)", t=truth)
        return _negated(truth) if operator.negated else truth

    def operand(self, target: Target) -> Sql:
        names = self.aliases
        return operand(
            target,
            contact=names.contact,
            event=names.event,
            trigger=names.trigger,
            now=self.now,
            attributes=names.attributes,
        )

    def values(self, operator: Operator, kind: str, value: object) -> dict[str, Sql]:
        if operator.takes == "window":
            since = self.now - window(str(value), speed=self.speed)
            return {"since": Sql("%s::timestamptz", [since]), "now": Sql("%s::timestamptz", [self.now])}
        if isinstance(value, Ref):
            return {"v": fill(_REFERRED[kind], r=self.operand(value.target))}
        if isinstance(value, tuple):
            return {"v": Sql(f"%s::{_CAST[kind]}[]", [[_parameter(kind, item) for item in value]])}
        return {"v": Sql(f"%s::{_CAST[kind]}", [_parameter(kind, value)])}

    # -- counted events ------------------------------------------------------------------------------------------------

    def event_count(self, node: EventCount) -> Sql:
        match node.op:
            case "gte":
                return self.at_least(node, node.count)
            case "gt":
                return self.at_least(node, node.count + 1)
            case "lt":
                return _negated(self.at_least(node, node.count))
            case "lte":
                return _negated(self.at_least(node, node.count + 1))
            case "eq":
                return self.exactly(node, node.count)
            case _:
                return _negated(self.exactly(node, node.count))

    def at_least(self, node: EventCount, count: int) -> Sql:
        if count == 0:
            return TRUE
        if count == 1:
            # OFFSET 0 keeps the planner from turning the EXISTS into a join that reads the whole event log: a few
            # hundred contacts are asked at a time, each by its own index range. (It is also what keeps predicate
            # locks small under SERIALIZABLE.)
            return fill("EXISTS ({events} OFFSET 0)", events=self.events(node))
        return self.limited(node, most=count, equals=count)

    def exactly(self, node: EventCount, count: int) -> Sql:
        return _negated(self.at_least(node, 1)) if count == 0 else self.limited(node, most=count + 1, equals=count)

    def limited(self, node: EventCount, *, most: int, equals: int) -> Sql:
        """Whether `equals` events are found when the search stops at `most`."""
        return fill(
            "(SELECT count(*) FROM ({events} LIMIT {most}) AS found) = {equals}",
            events=self.events(node),
            most=Sql("%s::bigint", [most]),
            equals=Sql("%s::bigint", [equals]),
        )

    def events(self, node: EventCount) -> Sql:
        tests = [
            Sql(f"{_COUNTED}.contact_id = {self.aliases.contact}.id", []),
            Sql(f"{_COUNTED}.type = %s::text", [node.type]),
            Sql(f"{_COUNTED}.occurred_at <= %s::timestamptz", [self.now]),
            Sql(f"{_COUNTED}.processed", []),
        ]
        if node.within is not None:
            since = self.now - window(node.within, speed=self.speed)
            tests.append(Sql(f"{_COUNTED}.occurred_at > %s::timestamptz", [since]))
            tests.append(Sql(f"{_COUNTED}.recorded_at > %s::timestamptz", [since - FURTHEST_AHEAD]))
        if node.type in ENGAGEMENT:
            tests.append(Sql(f"({_COUNTED}.properties ->> 'is_machine') IS DISTINCT FROM 'true'", []))
        if node.message:
            tests.append(Sql(f"{_COUNTED}.properties @> %s::jsonb", [json.dumps(dict(node.message))]))
        if node.where is not None:
            inside = replace(self.aliases, event=_COUNTED)
            tests.append(_Compiler(self.now, inside, self.speed).compile(node.where))
        where = Sql(" AND ".join(test.text for test in tests), [param for test in tests for param in test.params])
        return fill(f"SELECT FROM contact_events AS {_COUNTED} WHERE {{where}}", where=where)


def _negated(truth: Sql) -> Sql:
    return fill("NOT {t}", t=truth)


def _parameter(kind: str, value: object) -> object:
    """A value as the parameter that its cast reads."""
    if kind == "json":
        return json.dumps(value.isoformat() if isinstance(value, datetime) else value)
    # as text: psycopg refuses a list of integers and floats together
    return repr(value) if kind == "number" else value
