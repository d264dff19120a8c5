"""Sides that are taken in silence: where the new rules of a `rebase` put people, and where people stand when somebody
begins to watch a threshold.

It is settled when a contact is next compared, for the instant of the activation (or of the beginning): by the events
that had been recorded by then. So what happened before it is told by the rules of before, and what happens after it is
told by the new ones, however late the contact's turn comes. Attributes and tags have no history here: they count as
they are when it is settled."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from scoring.crossings.activations import History
from scoring.crossings.forecast import level_of
from scoring.crossings.sides import BELOW, Place, Side
from scoring.crossings.thresholds import Watched
from scoring.projection import scores
from scoring.rulesets.rules import Ruleset

LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Crossing:
    """A contact's `seq`-th crossing of a threshold."""

    contact_id: int
    threshold: float
    upward: bool
    seq: int
    score: float


Told = list[tuple[Ruleset, list[Crossing]]]  # the crossings of some contacts under some rules, in the order of the ids


@dataclass(frozen=True)
class _Moment:
    """An instant at which people are put somewhere: by the activation at `place`, or, where `begins`, because somebody
    began to watch. The rules of a moment are those after so many activations."""

    at: datetime
    count: int
    begins: bool


def settle(
    *,
    history: History,
    thresholds: Sequence[Watched],
    created: Mapping[int, datetime],
    known: Mapping[Place, Side],
    now: datetime,
) -> tuple[dict[Place, Side], Told]:
    """The sides that change or are taken note of in silence, and the crossings of before them that have yet to be told.

    `created` says since when each of the contacts exists: who came later has not been put anywhere. One statement for
    the rules, and two for each activation that somebody here has yet to go through."""
    pending: dict[_Moment, list[Place]] = defaultdict(list)
    for contact_id, since in created.items():
        for watched in thresholds:
            # where the clock of a rehearsal stands before it, nobody can say since when somebody is there
            exists_since = since if since <= now else LONG_AGO
            for moment in _moments(history, watched, known.get((contact_id, watched.threshold)), exists_since):
                pending[moment].append((contact_id, watched.threshold))
    if not pending:
        return {}, []
    counts = {count for moment in pending for count in (moment.count, moment.count - 1) if count >= 0}
    rules = history.rules_after(counts)
    declared = {watched.threshold: watched.since for watched in thresholds}
    settled: dict[Place, Side] = {}
    told: Told = []
    for moment in sorted(pending, key=lambda each: (each.at, each.count, each.begins)):
        sides = {place: settled.get(place, known.get(place, BELOW)) for place in pending[moment]}
        before = None if moment.begins else rules.get(moment.count - 1)
        if before is not None:
            watched_before = [
                place
                for place, side in sides.items()
                if _is_watched(place[1], before, declared, moment.at) and _is_armed(side, before, moment.at)
            ]
            crossed = _crossed(before, watched_before, sides, known, moment.at)
            if crossed:
                told.append((before, [_crossing(place, sides[place], score) for place, score in crossed]))
                sides |= {place: turned(sides[place], now, history.latest_id) for place, _ in crossed}
        after = rules[moment.count]
        if after is not None:
            watched_after = [place for place in sides if _is_watched(place[1], after, declared, moment.at)]
            for place, _ in _crossed(after, watched_after, sides, known, moment.at):
                sides[place] = replace(sides[place], above=not sides[place].above)
        settled |= {place: replace(side, ruleset_id=history.latest_id) for place, side in sides.items()}
    return settled, told


def turned(side: Side, now: datetime, ruleset_id: int) -> Side:
    """The side after a crossing that is told, when it has taken note of the activation of that version."""
    return Side(not side.above, side.seq + 1, now, ruleset_id)


def _crossing(place: Place, side: Side, score: float) -> Crossing:
    return Crossing(*place, upward=not side.above, seq=side.seq + 1, score=score)


def _moments(history: History, watched: Watched, side: Side | None, created_at: datetime) -> Iterator[_Moment]:
    """What a contact has yet to go through at a threshold."""
    if side is not None:
        start = history.after(side.ruleset_id)
    else:
        begins = None if watched.is_own else watched.since
        since = created_at if begins is None or begins < created_at else begins
        start = history.until(since)
        # what is watched from the first instant of the rules on is crossed by whoever reaches it
        if since == begins and start and history.activations[start - 1].at < since:
            yield _Moment(since, start, begins=True)
    for place in history.rebases(start):
        yield _Moment(history.activations[place].at, place + 1, begins=False)


def _is_watched(threshold: float, ruleset: Ruleset, declared: Mapping[float, datetime | None], at: datetime) -> bool:
    since = declared.get(threshold)
    return threshold == ruleset.mql_threshold or (since is not None and since <= at)


def _is_armed(side: Side, ruleset: Ruleset, at: datetime) -> bool:
    rearmed_at = side.rearmed_at(ruleset)
    return rearmed_at is None or at >= rearmed_at


def _crossed(
    ruleset: Ruleset,
    places: Collection[Place],
    sides: Mapping[Place, Side],
    known: Mapping[Place, Side],
    at: datetime,
) -> list[tuple[Place, float]]:
    """Who stood across at that instant, by what was known then, with their scores, in the order of the ids.

    Who had been told of a turn after it, by rules that were about to be replaced, is looked at then: that is `known`.
    The turns that are only told now, in `sides`, were due by their instant, and make nobody look later."""
    groups: dict[datetime, list[Place]] = defaultdict(list)
    for place in places:
        turned_at = known.get(place, BELOW).turned_at
        groups[at if turned_at is None else max(at, turned_at)].append(place)
    crossed = []
    for instant, group in groups.items():
        found = scores.under(ruleset, contact_ids={contact_id for contact_id, _ in group}, at=instant, known_by=instant)
        for contact_id, threshold in group:
            side = sides[contact_id, threshold]
            level = level_of(threshold, above=side.above, hysteresis=ruleset.settings.hysteresis)
            if level.crossed(found[contact_id]):
                crossed.append(((contact_id, threshold), found[contact_id]))
    return sorted(crossed)
