"""Threshold crossings, each exactly once: at events, at changes, at new rules, and between events by decay.

Hysteresis: a contact is above from the moment the score reaches the threshold until it falls below 90 % of it. Both
turns are crossings; what happens in between is silence, so nobody at the edge becomes marketing qualified every day.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from contacts import events
from scoring.crossings import checks, outlook
from scoring.crossings.forecast import Level
from scoring.crossings.thresholds import Watched, watched
from scoring.lifecycle import stages
from scoring.projection import scores
from scoring.projection.compiler import DECIMALS
from scoring.rulesets import reading, rules
from scoring.rulesets.rules import Ruleset

HYSTERESIS = 0.1
BATCH = 200
# Only upwards: nobody who is with sales already is moved back by a score.
BEFORE_MQL = (stages.NO_STAGE, "subscriber", "lead")


@dataclass(frozen=True)
class Crossing:
    """A contact's `seq`-th crossing of a threshold."""

    contact_id: int
    threshold: float
    upward: bool
    seq: int
    score: float


def check_batch(*, now: datetime, limit: int = BATCH, lane: str | None = None) -> bool:
    """Compare the contacts whose check is due with the thresholds of the active rulesets, inside the caller's
    transaction. Returns whether there were any. `lane` None means any lane.

    The number of statements does not depend on the number of contacts."""
    assert connection.in_atomic_block, "check_batch needs the caller's transaction"
    contact_ids, gone = checks.claim(now=now, limit=limit, lane=lane)
    if not contact_ids and not gone:
        return False
    next_checks: dict[int, datetime] = {}
    crossed: list[tuple[Ruleset, list[Crossing]]] = []
    settled: list[tuple[Ruleset, list[tuple[int, float]]]] = []
    if contact_ids:
        # the contacts are locked: what is read from here on is the last word
        for ruleset in reading.active_rulesets():
            crossings, levels, stood_above = _compare(ruleset, contact_ids, now)
            crossed.append((ruleset, crossings))
            settled.append((ruleset, stood_above))
            for contact_id, at in outlook.next_checks(ruleset, levels=levels, now=now).items():
                next_checks[contact_id] = min(at, next_checks.get(contact_id, at))
    # before anything is recorded: our own events may be scored too, and then ask for the next check themselves
    checks.settle(contact_ids=[*contact_ids, *gone], next_checks=next_checks)
    for ruleset, stood_above in settled:
        _settle_sides(ruleset, stood_above)
    for ruleset, crossings in crossed:
        if crossings:
            _record(ruleset, crossings, now)
    return True


def level_of(threshold: float, *, above: bool) -> Level:
    """What the score has to do next to cross: fall below 90 % of the threshold, or reach it."""
    if above:
        return Level(round(threshold * (1 - HYSTERESIS), DECIMALS), rising=False)
    return Level(threshold, rising=True)


def _compare(
    ruleset: Ruleset, contact_ids: Sequence[int], now: datetime
) -> tuple[list[Crossing], dict[int, list[Level]], list[tuple[int, float]]]:
    """Who crosses now, in the order of the ids, what each contact's next crossings would be, and who stood above a
    threshold when somebody began to watch it. Three statements, and one for each threshold whose watching began under
    these rules."""
    found = scores.under(ruleset, contact_ids=contact_ids, at=now)
    thresholds = watched(ruleset.ruleset_id, ruleset.name, ruleset.mql_threshold)
    sides = _sides(ruleset, contact_ids, [each.threshold for each in thresholds])
    stood_above = [
        (contact_id, each.threshold) for each in thresholds for contact_id in _above_since(ruleset, each, found, sides)
    ]
    sides |= dict.fromkeys(stood_above, (True, 0))
    crossings = []
    levels: dict[int, list[Level]] = {contact_id: [] for contact_id in found}
    for contact_id, score in sorted(found.items()):
        for threshold in (each.threshold for each in thresholds):
            above, seq = sides.get((contact_id, threshold), (False, 0))
            if level_of(threshold, above=above).crossed(score):
                above = not above
                crossings.append(Crossing(contact_id, threshold, above, seq + 1, score))
            levels[contact_id].append(level_of(threshold, above=above))
    return crossings, levels, stood_above


Sides = dict[tuple[int, float], tuple[bool, int]]


def _sides(ruleset: Ruleset, contact_ids: Sequence[int], thresholds: Sequence[float]) -> Sides:
    """(contact, threshold) -> above, seq; who never crossed it is left out."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT contact_id, threshold, above, seq FROM score_sides "
            "WHERE contact_id = ANY(%s) AND score_name = %s AND threshold = ANY(%s)",
            [list(contact_ids), ruleset.name, list(thresholds)],
        )
        return {(contact_id, threshold): (above, seq) for contact_id, threshold, above, seq in cursor.fetchall()}


def _above_since(ruleset: Ruleset, each: Watched, contact_ids: Iterable[int], sides: Sides) -> list[int]:
    """Those of whom no side of this threshold is known, and whose score had reached it when the watching began."""
    unknown = [contact_id for contact_id in contact_ids if (contact_id, each.threshold) not in sides]
    if each.since is None or not unknown:
        return []
    level = level_of(each.threshold, above=False)
    then = scores.under(ruleset, contact_ids=unknown, at=each.since)
    return sorted(contact_id for contact_id, score in then.items() if level.crossed(score))


def _settle_sides(ruleset: Ruleset, stood_above: Sequence[tuple[int, float]]) -> None:
    """Remember it, without a crossing. One statement, or none."""
    if not stood_above:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO score_sides (contact_id, score_name, threshold, above, seq)
            SELECT x.contact_id, %s, x.threshold, true, 0
              FROM unnest(%s::bigint[], %s::float8[]) AS x(contact_id, threshold)
            ON CONFLICT DO NOTHING
            """,
            [
                ruleset.name,
                [contact_id for contact_id, _ in stood_above],
                [threshold for _, threshold in stood_above],
            ],
        )


def _record(ruleset: Ruleset, crossings: Sequence[Crossing], now: datetime) -> None:
    """The side, the fact, the news, and the stage that follows from it."""
    columns: list[Any] = [
        [crossing.contact_id for crossing in crossings],
        [crossing.threshold for crossing in crossings],
        [crossing.upward for crossing in crossings],
        [crossing.seq for crossing in crossings],
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO score_sides (contact_id, score_name, threshold, above, seq)
            SELECT x.contact_id, %s, x.threshold, x.upward, x.seq
              FROM unnest(%s::bigint[], %s::float8[], %s::boolean[], %s::integer[])
                   AS x(contact_id, threshold, upward, seq)
            ON CONFLICT (contact_id, score_name, threshold) DO UPDATE SET above = EXCLUDED.above, seq = EXCLUDED.seq
            """,
            [ruleset.name, *columns],
        )
        cursor.execute(
            """
            INSERT INTO score_crossings (contact_id, score_name, threshold, upward, seq, score, ruleset_id, crossed_at)
            SELECT x.contact_id, %s, x.threshold, x.upward, x.seq, x.score, %s, %s
              FROM unnest(%s::bigint[], %s::float8[], %s::boolean[], %s::integer[], %s::float8[])
                   AS x(contact_id, threshold, upward, seq, score)
            """,
            [
                ruleset.name,
                ruleset.ruleset_id,
                now,
                *columns,
                [crossing.score for crossing in crossings],
            ],
        )
    events.record_own([_news(ruleset, crossing) for crossing in crossings], now=now)
    if ruleset.name == rules.LEAD:
        qualified = [each for each in crossings if each.upward and each.threshold == ruleset.mql_threshold]
        stages.move(
            contact_ids=[crossing.contact_id for crossing in qualified],
            to_stage="mql",
            reason=f"score reached {ruleset.mql_threshold:g} ({ruleset.label})",
            source="score",
            now=now,
            only_from=BEFORE_MQL,
        )


def _news(ruleset: Ruleset, crossing: Crossing) -> events.OwnEvent:
    threshold = crossing.threshold
    return events.OwnEvent(
        contact_id=crossing.contact_id,
        type="score_threshold_crossed",
        properties={
            "score_name": ruleset.name,
            "threshold": threshold,
            "direction": "up" if crossing.upward else "down",
            "score": crossing.score,
            "ruleset": ruleset.label,
        },
        key=f"score_threshold_crossed:{crossing.contact_id}:{ruleset.name}:{threshold!r}:{crossing.seq}",
    )
