"""Why each crossing came: an event, time alone, or new rules; and how long an event waited for its check."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from tests.drills.rig.checker import percentile
from tests.drills.rig.report import Finding
from tests.drills.score_crossings.evidence import Crossing, Evidence, Span
from tests.drills.score_crossings.rules import FALLS_BELOW, SECOND, THRESHOLD, Event, score

BY_EVENT, BY_TIME, BY_RULES = "by an event", "by time", "by new rules"


def of(evidence: Evidence, crossing: Crossing, *, since: int) -> tuple[str, Event | None]:
    """`since`: when the contact had crossed before. What happened then, an event or an activation, from which on the
    score stood across; if it did not yet at the last of all that happened, time alone has done it."""
    person = evidence.people[crossing.contact_id]

    def is_across(at: int) -> bool:
        points = score(evidence.active_at(at).title, person, at)
        return points >= THRESHOLD if crossing.upward else points < FALLS_BELOW

    events = {event.at: event for event in person.events}
    cause: int | None = None
    for at in sorted({*events, *(version.at for version in evidence.versions[1:])}, reverse=True):
        if not since < at <= crossing.at:
            continue
        if not is_across(at) or (cause is not None and not is_across(cause - 1)):
            break
        cause = at
    if cause is None:
        return BY_TIME, None
    return (BY_EVENT, events[cause]) if cause in events else (BY_RULES, None)


def stood_in_the_fire(evidence: Evidence) -> Finding:
    """Zero means nothing if nobody crossed in one of these ways."""
    found: Counter[str] = Counter()
    for crossings in evidence.crossings.values():
        for before, crossing in zip([None, *crossings], crossings, strict=False):
            cause, _ = of(evidence, crossing, since=before.at if before else 0)
            found[f"{'up' if crossing.upward else 'down'} {cause}"] += 1
    wanted = [f"{way} {cause}" for cause in (BY_EVENT, BY_TIME, BY_RULES) for way in ("up", "down")]
    return Finding(
        "people crossed by events, by time alone, and by new rules",
        holds=all(found[f"up {cause}"] + found[f"down {cause}"] for cause in (BY_EVENT, BY_TIME, BY_RULES)),
        figures={each: found[each] for each in wanted},
    )


def latencies(evidence: Evidence, rechecks: Sequence[Span], faults: Sequence[Span]) -> dict[str, str]:
    """How long urgent events waited until the check that they made cross was committed: while everybody was rechecked
    after new rules, and at other times; by themselves those that met no fault that was not mended yet."""
    waits: dict[tuple[bool, bool], list[float]] = defaultdict(list)
    for crossings in evidence.crossings.values():
        for before, crossing in zip([None, *crossings], crossings, strict=False):
            _, event = of(evidence, crossing, since=before.at if before else 0)
            if event is not None and event.lane == "urgent":
                met = (_meets(event.at, crossing.done, rechecks), _meets(event.at, crossing.done, faults))
                waits[met].append((crossing.done - event.at) / SECOND)
    return {
        f"an urgent event waited for its check{beside}{faulty}": _told(waits[recheck, fault])
        for recheck, beside in ((False, ""), (True, " beside a recheck"))
        for fault, faulty in ((False, ""), (True, ", in a fault"))
        if waits[recheck, fault] or not fault
    }


def _meets(start: int, end: int, spans: Sequence[Span]) -> bool:
    return any(begun <= end and start <= over for begun, over in spans)


def _told(waits: Sequence[float]) -> str:
    p50, p99 = percentile(waits, 0.5), percentile(waits, 0.99)
    if p50 is None or p99 is None:
        return "nobody was seen"
    return f"p50 {1000 * p50:,.0f} ms, p99 {1000 * p99:,.0f} ms ({len(waits):,} events)"
