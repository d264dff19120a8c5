"""The verdicts: each crossing once, true, told, and none missed."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from tests.drills.rig.report import Finding, first
from tests.drills.score_crossings.asking import Question, ask
from tests.drills.score_crossings.evidence import Crossing, Evidence
from tests.drills.score_crossings.rules import (
    DOWNLOADED,
    FALLS_BELOW,
    SECOND,
    STEP_SECONDS,
    THRESHOLD,
    VERSIONS,
    Event,
    Person,
    score,
)

ONCE = "each crossing exactly once: no gap in seq, up and down in turn, the last one is the side"
TRUE = "each crossing is true: at its instant the score stood across"
AT_REST = "in the end everybody stands where their score puts them"
IN_TIME = "whoever stayed across was told no later than the longest outage"
TOLD = "each crossing was told by exactly one event"
MOVED = "each first rise from an eligible stage moved to mql once, and nothing else did"
ENTERED = "each rise sent its contact into the journey that waits for it, once"
SAME = "the projection says what brute force says"
GRID = SECOND // 4
CLOSE = 5e-6
MOST_IN_FLIGHT = 12
ELIGIBLE = ("", "subscriber", "lead")


def once(evidence: Evidence) -> Finding:
    wrong = []
    for contact_id, crossings in evidence.crossings.items():
        for seq, crossing in enumerate(crossings, 1):
            if (crossing.threshold, crossing.seq, crossing.upward) != (THRESHOLD, seq, seq % 2 == 1):
                wrong.append(f"contact {contact_id}: {_shown(crossing)} in the place of {seq}")
        if any(later.at < sooner.at for sooner, later in itertools.pairwise(crossings)):
            wrong.append(f"contact {contact_id}: out of order")
    for (contact_id, threshold), side in evidence.sides.items():
        seq = len(evidence.crossings.get(contact_id, ()))
        if threshold != THRESHOLD or side != (seq % 2 == 1, seq):
            wrong.append(f"contact {contact_id}: {seq} crossings, and the side says {side}")
    wrong += [f"contact {who}: no side" for who in evidence.crossings if (who, THRESHOLD) not in evidence.sides]
    total = sum(map(len, evidence.crossings.values()))
    return Finding(
        ONCE,
        holds=total > 0 and not wrong,
        figures={"crossings": total, "contacts": len(evidence.crossings), "wrong": len(wrong)},
        examples=first(wrong),
    )


def true(evidence: Evidence) -> Finding:
    """An event whose request had not been answered by then may have been still on its way: the score that the crossing
    names must be that of the instant with all the others, and with any of these."""
    false, in_flight = [], 0
    for contact_id, crossings in evidence.crossings.items():
        for crossing in crossings:
            across = crossing.score >= THRESHOLD if crossing.upward else crossing.score < FALLS_BELOW
            left_out = _left_out(evidence, crossing) if across else None
            if left_out is None:
                false.append(f"contact {contact_id}: {_shown(crossing)}, score {crossing.score}")
            elif left_out:
                in_flight += 1
    return Finding(
        TRUE,
        holds=bool(evidence.crossings) and not false,
        figures={"false": len(false), "with an event still on its way": in_flight},
        examples=first(false),
    )


def _left_out(evidence: Evidence, crossing: Crossing) -> Sequence[Event] | None:
    """The fewest events without which the score is the one that the crossing names; None: there are none such."""
    title, person = evidence.title(crossing.ruleset_id), evidence.people[crossing.contact_id]
    on_the_way = [
        event
        for event in person.events
        if event.at <= crossing.at and (event.acknowledged is None or event.acknowledged > crossing.at)
    ][-MOST_IN_FLIGHT:]
    for count in range(len(on_the_way) + 1):
        for without in itertools.combinations(on_the_way, count):
            if abs(score(title, person, crossing.at, without) - crossing.score) <= CLOSE:
                return without
    return None


def at_rest(evidence: Evidence) -> Finding:
    """Those who are due right now, or within the second to which a crossing is known, stand elsewhere rightfully."""
    title, wrong, judged = evidence.active_at(evidence.at).title, [], 0
    above = 0
    for contact_id, person in evidence.people.items():
        if contact_id in evidence.soon:
            continue
        judged += 1
        now, (is_above, _) = score(title, person, evidence.at), evidence.sides.get((contact_id, THRESHOLD), (False, 0))
        above += is_above
        if (now >= THRESHOLD and not is_above) or (now < FALLS_BELOW and is_above):
            wrong.append(f"contact {contact_id}: {now} and {'above' if is_above else 'below'}")
    return Finding(
        AT_REST,
        holds=judged > 0 and not wrong,
        figures={"judged": judged, "above": above, "wrong": len(wrong), "just due": len(evidence.soon)},
        examples=first(wrong),
    )


def in_time(evidence: Evidence, *, grace: float, most: int) -> Finding:
    """Of `most` people: on every stretch of time on which the score, looked at on a fine grid, stood at or above the
    threshold, or below the level at which one falls, for longer than `grace`, they were there by then, until its
    end."""
    late, stretches = [], 0
    for contact_id in sorted(evidence.people)[:: max(1, len(evidence.people) // most)]:
        for above, start, end in _stretches(evidence, evidence.people[contact_id]):
            by = start + round(grace * SECOND)
            if by >= end:
                continue
            stretches += 1
            crossings = evidence.crossings.get(contact_id, ())
            before = [crossing for crossing in crossings if crossing.at <= by]
            turned = [crossing for crossing in crossings if by < crossing.at <= end]
            if turned or (len(before) % 2 == 1) is not above:
                length = (end - start) / SECOND
                late.append(f"contact {contact_id}: {'above' if above else 'below'} for {length:.1f} s from {start}")
    return Finding(
        IN_TIME,
        holds=stretches > 0 and not late,
        figures={"grace, s": round(grace, 2), "stretches": stretches, "late": len(late)},
        examples=first(late),
    )


def _stretches(evidence: Evidence, person: Person) -> Iterator[tuple[bool, int, int]]:
    """(above, first instant, last instant) of every stretch; who did nothing yet is nobody's."""
    if not person.events:
        return
    start = max(person.events[0].at, evidence.versions[0].at)
    turns = {event.at for event in person.events} | {version.at for version in evidence.versions}
    turns |= {event.at + STEP_SECONDS * SECOND for event in person.events if event.type == DOWNLOADED}
    points = sorted(
        {*range(start, evidence.at, GRID), evidence.at, *(at for at in turns if start <= at <= evidence.at)}
    )
    sides = [(at, _side(score(evidence.active_at(at).title, person, at))) for at in points]
    for side, run in itertools.groupby(sides, key=lambda each: each[1]):
        if side is not None:
            instants = [at for at, _ in run]
            yield side, instants[0], instants[-1]


def _side(points: float) -> bool | None:
    return True if points >= THRESHOLD else False if points < FALLS_BELOW else None


def told(evidence: Evidence) -> Finding:
    happened = Counter(
        (each.contact_id, each.threshold, each.upward, each.score, each.at)
        for crossings in evidence.crossings.values()
        for each in crossings
    )
    news = Counter(evidence.told)
    wrong = list((happened - news).elements()) + list((news - happened).elements())
    return Finding(
        TOLD,
        holds=bool(news) and not wrong,
        figures={"events": news.total(), "wrong": len(wrong)},
        examples=first([str(each) for each in wrong]),
    )


def moved(evidence: Evidence) -> Finding:
    expected = Counter(
        (contact_id, evidence.stages.get(contact_id, ""), "mql", "rule:score-reaches-mql", crossings[0].at)
        for contact_id, crossings in evidence.crossings.items()
        if evidence.stages.get(contact_id, "") in ELIGIBLE
    )
    moves = Counter(evidence.moves)
    wrong = list((expected - moves).elements()) + list((moves - expected).elements())
    others = len(evidence.crossings) - expected.total()
    return Finding(
        MOVED,
        holds=bool(moves) and others > 0 and not wrong,
        figures={"moves": moves.total(), "rose elsewhere and stayed": others, "wrong": len(wrong)},
        examples=first([str(each) for each in wrong]),
    )


def entered(evidence: Evidence) -> Finding:
    rises = Counter({who: sum(each.upward for each in crossings) for who, crossings in evidence.crossings.items()})
    wrong = [
        f"contact {who}: {rises[who]} rises, entered {evidence.entries.get(who, 0)} times"
        for who in sorted(rises.keys() | evidence.entries.keys())
        if rises[who] != evidence.entries.get(who, 0)
    ]
    return Finding(
        ENTERED,
        holds=rises.total() > 0 and not wrong,
        figures={"rises": rises.total(), "entries": sum(evidence.entries.values()), "wrong": len(wrong)},
        examples=first(wrong),
        counts={
            "acknowledged": rises.total(),
            "processed": sum(min(rises[who], count) for who, count in evidence.entries.items()),
            "lost": sum(max(0, count - evidence.entries.get(who, 0)) for who, count in rises.items()),
            "twice": sum(max(0, count - rises[who]) for who, count in evidence.entries.items()),
        },
    )


def same(evidence: Evidence, env: Mapping[str, str]) -> Finding:
    """At the instant of every crossing, and in the end for everybody under every version."""
    instants: dict[tuple[int, int], list[int]] = {}
    for crossing in itertools.chain.from_iterable(evidence.crossings.values()):
        instants.setdefault((crossing.ruleset_id, crossing.at), []).append(crossing.contact_id)
    latest = {version.title: version.ruleset_id for version in evidence.versions}
    questions: list[Question] = [(ruleset_id, at, who) for (ruleset_id, at), who in instants.items()]
    questions += [(latest[title], evidence.at, list(evidence.people)) for title in VERSIONS if title in latest]
    compared, wrong = 0, []
    for (ruleset_id, at, _), answer in zip(questions, ask(env, questions), strict=True):
        for contact_id, points in answer.items():
            compared += 1
            expected = score(evidence.title(ruleset_id), evidence.people[contact_id], at)
            if abs(points - expected) > CLOSE:
                wrong.append(f"contact {contact_id} at {at}: {points}, not {expected}")
    return Finding(
        SAME,
        holds=compared > 0 and not wrong,
        figures={"compared": compared, "wrong": len(wrong)},
        examples=first(wrong),
    )


def _shown(crossing: Crossing) -> str:
    return f"crossing {crossing.seq} {'up' if crossing.upward else 'down'}"
