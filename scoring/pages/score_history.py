"""What the score card tells of the past and of what lies ahead."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection

from scoring.crossings import outlook
from scoring.crossings.outlook import Outlook
from scoring.lifecycle import stages
from scoring.pages import curve_chart
from scoring.pages.curve_chart import Happening, Point, number
from scoring.projection import history
from scoring.rulesets.rules import LEAD, Ruleset

BEFORE, AFTER = timedelta(days=90), timedelta(days=45)  # of the curve, around the instant of the card
POINTS = 60
MOST_MARKED = 30
SOON = timedelta(days=2)  # an instant that is told by the minute


def of(contact_id: int, ruleset: Ruleset, *, at: datetime, now: datetime) -> dict[str, Any]:
    """`outlook`, for the score of now alone, and `chart` (None: there is nothing to draw)."""
    ahead = outlook.next_crossing(contact_id, now=now, name=ruleset.name) if at == now else None
    since, until = at - BEFORE / settings.TIME_SPEED, at + AFTER / settings.TIME_SPEED
    found = history.curve(contact_id, since=since, until=until, ruleset=ruleset, points=POINTS)
    return {
        "outlook": None if ahead is None else {"rising": ahead.rising, "words": words(ahead, ruleset, now=now)},
        "chart": curve_chart.chart(
            [Point(*each) for each in found],
            now=now,
            threshold=ruleset.mql_threshold,
            happenings=_happenings(contact_id, ruleset.name, since, until),
        ),
    }


def _happenings(contact_id: int, name: str, since: datetime, until: datetime) -> list[Happening]:
    """The crossings of the threshold and the moves of the stage in that time, at most MOST_MARKED of each. One
    statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            (SELECT crossed_at, CASE WHEN upward THEN 'up' ELSE 'down' END, threshold, '' FROM score_crossings
              WHERE contact_id = %(contact)s AND score_name = %(name)s AND crossed_at BETWEEN %(since)s AND %(until)s
              ORDER BY crossed_at DESC LIMIT %(most)s)
            UNION ALL
            (SELECT occurred_at, 'stage', NULL, to_stage FROM lifecycle_events
              WHERE contact_id = %(contact)s AND occurred_at BETWEEN %(since)s AND %(until)s
              ORDER BY id DESC LIMIT %(most)s)
            """,
            {"contact": contact_id, "name": name, "since": since, "until": until, "most": MOST_MARKED},
        )
        rows = cursor.fetchall()
    labels = stages.labels()
    return [
        Happening(at, f"Became {labels.get(stage, stage)}", "stage", "violet")
        if kind == "stage"
        else Happening(
            at,
            f"Crossed {number(threshold)} {kind}wards",
            f"crossed {kind}wards",
            "emerald" if kind == "up" else "rose",
        )
        for at, kind, threshold, stage in rows
    ]


def words(ahead: Outlook, ruleset: Ruleset, *, now: datetime) -> str:
    """`Will fall below MQL (54 points) on 14 May if nothing happens.` Who is above falls later than at the threshold
    itself, by the hysteresis of the rules."""
    level = ahead.threshold if ahead.rising else ahead.threshold * (1 - ruleset.settings.hysteresis)
    crossed = f"{stages.label('mql')} ({number(level)} points)" if ruleset.name == LEAD else f"{number(level)} points"
    deed = f"{'rise to' if ahead.rising else 'fall below'} {crossed}"
    if ahead.at <= now:
        return f"Is about to {deed}."
    if not ahead.is_certain:
        return f"Will not {deed} before {_when(ahead.at, now)} if nothing happens."
    return f"Will {deed} {'' if ahead.at - now < SOON else 'on '}{_when(ahead.at, now)} if nothing happens."


def _when(at: datetime, now: datetime) -> str:
    if at.date() == now.date():
        return f"today at {at:%H:%M} UTC"
    if at - now < SOON:
        return f"at {at:%H:%M} UTC on {at:%-d %B}"
    return f"{at:%-d %B}" if at.year == now.year else f"{at:%-d %B %Y}"
