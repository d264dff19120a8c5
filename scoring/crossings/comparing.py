"""Threshold crossings, each exactly once: at events, at changes, at new rules, and between events by decay.

Hysteresis: a contact is above from the moment the score reaches the threshold until it falls below it by the share of
it that the ruleset says. Both turns are crossings; what happens in between is silence, and so is what happens before
the ruleset's `rearm_after` is over, so nobody at the edge becomes marketing qualified every day.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from contacts import chaos
from scoring.crossings import activations, checks, outlook, settling, sides, telling
from scoring.crossings.forecast import level_of
from scoring.crossings.settling import Crossing, Told
from scoring.crossings.sides import BELOW, Place, Side
from scoring.crossings.thresholds import watched
from scoring.rulesets import reading
from scoring.rulesets.rules import Ruleset

BATCH = 200


@dataclass(frozen=True)
class Compared:
    """What came of comparing some contacts with the thresholds of one score: the crossings in the order in which they
    are told, the sides that are other ones now, and when each contact has to be looked at again."""

    told: Told
    turned: Mapping[Place, Side]
    looks: Mapping[int, datetime]


def check_batch(*, now: datetime, limit: int = BATCH, lane: str | None = None) -> bool:
    """Compare the contacts whose check is due with the thresholds of the active rulesets, inside the caller's
    transaction. Returns whether there were any. `lane` None means any lane.

    The number of statements does not depend on the number of contacts."""
    assert connection.in_atomic_block, "check_batch needs the caller's transaction"
    created, gone = checks.claim(now=now, limit=limit, lane=lane)
    if not created and not gone:
        return False
    # the contacts are locked: what is read from here on is the last word
    compared = (
        {ruleset.name: _compare(ruleset, created, now) for ruleset in reading.active_rulesets()} if created else {}
    )
    chaos.point("scoring.compared")
    looks: dict[int, datetime] = {}
    for each in compared.values():
        for contact_id, at in each.looks.items():
            looks[contact_id] = min(at, looks.get(contact_id, at))
    if chaos.mutant("evaluate_only_on_events"):
        looks = {}
    # before anything is recorded: our own events may be scored too, and then ask for the next check themselves
    checks.settle(contact_ids=[*created, *gone], next_checks=looks)
    for name, each in compared.items():
        sides.write(name, each.turned)
    for each in compared.values():
        for ruleset, crossings in each.told:
            telling.tell(ruleset, crossings, now=now, lane=lane or "urgent")
    chaos.point("scoring.told")
    return True


def _compare(ruleset: Ruleset, created: Mapping[int, datetime], now: datetime) -> Compared:
    thresholds = watched(ruleset)
    history = activations.history(ruleset.name)
    own, before = thresholds[0], history.thresholds_before(ruleset.mql_threshold)
    known = sides.read(ruleset.name, created, {*before, *(each.threshold for each in thresholds)})
    if own.since is None:
        known |= sides.carried(known, own.threshold, before, order=history.after)
    turned, told = settling.settle(history=history, thresholds=thresholds, created=created, known=known, now=now)
    crossings: list[Crossing] = []
    looks: dict[int, datetime] = {}
    for contact_id, ahead in sorted(outlook.read(ruleset, contact_ids=created, now=now).items()):
        wanted = [] if ahead.moment is None else [ahead.moment]
        for threshold in (each.threshold for each in thresholds):
            place = (contact_id, threshold)
            side = turned.get(place) or known.get(place, BELOW)
            level = level_of(threshold, above=side.above, hysteresis=ruleset.settings.hysteresis)
            rearmed_at = side.rearmed_at(ruleset)
            if level.crossed(ahead.score) and (rearmed_at is None or now >= rearmed_at):
                side = turned[place] = settling.turned(side, now, history.latest_id)
                crossings.append(Crossing(contact_id, threshold, side.above, side.seq, ahead.score))
                level = level_of(threshold, above=side.above, hysteresis=ruleset.settings.hysteresis)
                rearmed_at = side.rearmed_at(ruleset)
            look = ahead.next_look(level, now=now, rearmed_at=rearmed_at)
            wanted += [] if look is None else [look]
        if wanted:
            looks[contact_id] = min(wanted)
    return Compared([*told, (ruleset, crossings)], turned, looks)
