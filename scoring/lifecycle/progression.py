"""What moves people along by itself: a score that reaches a threshold, an event that is recorded.

Both happen in the transaction of their cause, for a batch of any size in a constant number of statements. Several
causes of one contact are followed one after the other, in their order, so that a batch ends where its events one by one
would have ended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from django.conf import settings
from django.db import connection

from contacts import durations
from contacts.conditions import Aliases, Sql, compile_condition
from contacts.conditions.fragment import fill, join
from contacts.conditions.sql import ENGAGEMENT
from contacts.signals import RecordedEvent
from scoring.lifecycle import progression_rules, stages
from scoring.lifecycle.causes import OWN_NEWS, EventHappened, Progression, ScoreReached
from scoring.rulesets.rules import Ruleset


class Crossed(Protocol):
    """What is to be known of a crossing."""

    @property
    def contact_id(self) -> int: ...
    @property
    def threshold(self) -> float: ...
    @property
    def upward(self) -> bool: ...
    @property
    def score(self) -> float: ...


class Occasion(NamedTuple):
    """The cause of `rules` has occurred for a contact; the first of them that takes people from where the contact is
    moves them."""

    contact_id: int
    rules: Sequence[Progression]
    reason: str


def after_crossings(crossings: Sequence[Crossed], ruleset: Ruleset, *, now: datetime, lane: str = "urgent") -> None:
    """Move those whose score has reached a threshold that a rule looks at, inside the caller's transaction. Of one
    contact's crossings the lowest threshold comes first. A constant number of statements; none if nobody rose."""
    rising = sorted(
        (each for each in crossings if each.upward), key=lambda crossing: (crossing.contact_id, crossing.threshold)
    )
    if not rising:
        return
    rules = progression_rules.of_score(ruleset.name)
    _follow(
        [
            Occasion(
                crossing.contact_id,
                [rule for rule in rules if _is_reached(rule, crossing.threshold, ruleset)],
                f"score reached {crossing.threshold:g} ({ruleset.label})",
            )
            for crossing in rising
        ],
        now=now,
        lane=lane,
    )


def after_events(events: Sequence[RecordedEvent], *, lane: str, now: datetime) -> None:
    """Move those who did something that a rule looks at, in the transaction that recorded it. What consent holds back
    moves nobody, nor does what is too old to trigger anything (EVENT_TRIGGER_MAX_AGE). One statement where no rule
    looks at these types, and a constant number where one does."""
    oldest = now - durations.window(settings.EVENT_TRIGGER_MAX_AGE, speed=1.0)
    counted = [event for event in events if event.processed and event.type != OWN_NEWS and event.occurred_at >= oldest]
    if not counted:
        return
    rules = progression_rules.of_events({event.type for event in counted})
    if not rules:
        return
    types = {rule.cause.type for rule in rules if isinstance(rule.cause, EventHappened)}
    found = _matching(rules, [event.event_id for event in counted if event.type in types], now)
    _follow(
        [
            Occasion(event.contact_id, [rules[place] for place in found[event.event_id]], f"event {event.type}")
            for event in sorted(counted, key=lambda event: event.event_id)
            if event.event_id in found
        ],
        now=now,
        lane=lane,
    )


def cause_sql(rule: Progression, *, event: str, contact: str, now: datetime) -> Sql:
    """Whether the event at hand is the rule's cause: an expression over the aliases of an event and of its contact."""
    cause = rule.cause
    assert isinstance(cause, EventHappened), "only an event rule looks at events"
    tests = [Sql(f"{event}.type = %s", [cause.type])]
    if cause.type in ENGAGEMENT:
        # scanners and mail programs open and click too: only people move
        tests.append(Sql(f"({event}.properties ->> 'is_machine') IS DISTINCT FROM 'true'", []))
    if cause.where is not None:
        tests.append(compile_condition(cause.where, now=now, aliases=Aliases(contact=contact, event=event)))
    return fill("({tests})", tests=join(" AND ", tests))


def _is_reached(rule: Progression, threshold: float, ruleset: Ruleset) -> bool:
    cause = rule.cause
    assert isinstance(cause, ScoreReached), "only a score rule looks at crossings"
    return threshold == (ruleset.mql_threshold if cause.threshold is None else cause.threshold)


def _matching(rules: Sequence[Progression], event_ids: Sequence[int], now: datetime) -> Mapping[int, Sequence[int]]:
    """Event id -> the places of the rules whose cause it is. Who is in no stage that one of these rules takes people
    from is left out, and so is not even locked: most people do most things more than once."""
    fits = [
        fill("CASE WHEN {cause} THEN {place}::int END", cause=cause, place=Sql("%s", [place]))
        for place, rule in enumerate(rules)
        for cause in [cause_sql(rule, event="e", contact="c", now=now)]
    ]
    sources = sorted({stage for rule in rules for stage in rule.from_stages})
    statement = f"""
        SELECT e.id, array_remove(ARRAY[{", ".join(each.text for each in fits)}], NULL)
          FROM contact_events e JOIN contacts c ON c.id = e.contact_id
         WHERE e.recorded_at = %s AND e.id = ANY(%s::bigint[])
           AND COALESCE({stages.stage_sql("c").text}, '') = ANY(%s::text[])
    """
    with connection.cursor() as cursor:
        cursor.execute(statement, [*(param for each in fits for param in each.params), now, list(event_ids), sources])
        return {event_id: places for event_id, places in cursor.fetchall() if places}


def _follow(occasions: Iterable[Occasion], *, now: datetime, lane: str) -> None:
    told = [occasion for occasion in occasions if occasion.rules]
    at = stages.hold([occasion.contact_id for occasion in told])
    moves = []
    for occasion in told:
        stage = at.get(occasion.contact_id)
        if stage is None:
            continue
        rule = next((rule for rule in occasion.rules if stage in rule.from_stages), None)
        if rule is not None:
            moves.append(stages.Move(occasion.contact_id, stage, rule.to_stage, occasion.reason, rule.source))
            at[occasion.contact_id] = rule.to_stage
    stages.record(moves, now=now, lane=lane)
