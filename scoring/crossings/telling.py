"""A crossing is told: the fact, the news, and the stage that follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import connection

from contacts import events
from scoring.crossings.settling import Crossing
from scoring.lifecycle import progression
from scoring.rulesets.rules import Ruleset


def tell(ruleset: Ruleset, crossings: Sequence[Crossing], *, now: datetime, lane: str) -> None:
    """`lane`: in which the news is worked off. A constant number of statements; none for no crossings."""
    if not crossings:
        return
    with connection.cursor() as cursor:
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
                [crossing.contact_id for crossing in crossings],
                [crossing.threshold for crossing in crossings],
                [crossing.upward for crossing in crossings],
                [crossing.seq for crossing in crossings],
                [crossing.score for crossing in crossings],
            ],
        )
    events.record_own([_news(ruleset, crossing) for crossing in crossings], now=now, lane=lane)
    progression.after_crossings(crossings, ruleset, now=now, lane=lane)


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
            "crossing": crossing.seq,  # tells one from the next where a journey is entered for each
        },
        key=f"score_threshold_crossed:{crossing.contact_id}:{ruleset.name}:{threshold!r}:{crossing.seq}",
    )
