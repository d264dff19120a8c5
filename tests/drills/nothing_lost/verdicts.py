"""What became of the events: the producers' acknowledgements beside the log, the claims, the journeys and refusals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from tests.drills.nothing_lost.load import ARRIVED, KNOCKED, Event
from tests.drills.rig import people
from tests.drills.rig.report import Finding, first
from tests.drills.rig.stage import Stage

IN_THE_LOG = "every acknowledged event is in the log, once, and of the right person"
TAKEN_ONCE = "every event that was taken had its effect once: it enrolled somebody, or was refused for a reason"
NOTHING_WAITS = "nothing waits any more, and everybody who entered came through"
ONE_ENROLMENT = "nobody entered twice where once is all, and nobody was twice at a time in the other journey"
HELD = "events without consent are stored, and start nothing"
JOURNEYS = {ARRIVED: "nothing-lost-once", KNOCKED: "nothing-lost-again"}
OVERLAP_SECONDS = 1.0  # `entered_at` is when the deciding transaction began, a moment before it read who was out

Acks = Sequence[Mapping[str, Any]]

STORED = """
SELECT e.id, e.properties ->> 'key', e.type, e.processed, c.external_id
  FROM contact_events e JOIN contacts c ON c.id = e.contact_id
 WHERE e.source IN ('api', 'segment')
"""
# by event: whether it still waits to be taken, how often it was claimed, and what it led to
LED_TO = """
SELECT e.id, waits.id IS NOT NULL, COALESCE(claims.count, 0),
       COALESCE(entered.slugs, '{}'), COALESCE(refused.reasons, '{}')
  FROM contact_events e
  LEFT JOIN (SELECT DISTINCT p.event_id AS id FROM pending_events p) waits USING (id)
  LEFT JOIN (SELECT t.event_id AS id, count(*) FROM processed_triggers t GROUP BY 1) claims USING (id)
  LEFT JOIN (SELECT n.entry_event_id AS id, array_agg(w.slug) AS slugs
               FROM workflow_enrolments n JOIN workflows w ON w.id = n.workflow_id GROUP BY 1) entered USING (id)
  LEFT JOIN (SELECT r.event_id AS id, array_agg(w.slug || ' ' || r.reason) AS reasons
               FROM entry_refusals r JOIN workflows w ON w.id = r.workflow_id GROUP BY 1) refused USING (id)
 WHERE e.source IN ('api', 'segment')
"""
TWICE_EVER = """
SELECT e.contact_id, count(*) FROM workflow_enrolments e JOIN workflows w ON w.id = e.workflow_id
 WHERE w.slug = %s GROUP BY 1 HAVING count(*) > 1
"""
TWICE_AT_A_TIME = """
SELECT contact_id, id, sooner FROM (
       SELECT e.contact_id, e.id, e.entered_at, lag(e.id) OVER past AS sooner,
              max(COALESCE(e.finished_at, 'infinity')) OVER (past ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
              AS out_at
         FROM workflow_enrolments e JOIN workflows w ON w.id = e.workflow_id
        WHERE w.slug = %s WINDOW past AS (PARTITION BY e.contact_id ORDER BY e.entered_at, e.id)) AS one
 WHERE entered_at < out_at - make_interval(secs => %s)
"""


def in_the_log(scene: Stage, events: Mapping[str, Event], acks: Acks) -> Finding:
    """I1 and I2. What the API called accepted, and not a duplicate, are no more than there are keys: an answer that was
    lost may have said so, too."""
    acknowledged = {key for ack in acks for key in ack["keys"]}
    rows = scene.rows(STORED)
    stored = Counter(key for _, key, *_ in rows)
    lost = sorted(acknowledged - stored.keys())
    twice = sorted(key for key, count in stored.items() if count > 1)
    astray = sorted(
        str(key)
        for _, key, type_, _, who in rows
        if key not in events or (type_, who) != (events[key].type, people.external_id(events[key].person))
    )
    accepted = sum(ack["accepted"] or 0 for ack in acks)
    refused = sum(ack["refused"] for ack in acks)
    unasked = sorted(events.keys() - acknowledged)  # the producers give up on nobody
    return Finding(
        IN_THE_LOG,
        holds=bool(rows) and not any([lost, twice, astray, unasked, refused]) and accepted <= len(acknowledged),
        figures={
            "acknowledged": len(acknowledged),
            "called accepted by the API": accepted,
            "refused": refused,
            "lost": len(lost),
            "stored twice": len(twice),
            "astray": len(astray),
            "never acknowledged": len(unasked),
        },
        examples=first([*lost, *twice, *astray, *unasked]),
        counts={"acknowledged": len(acknowledged), "lost": len(lost), "twice": len(twice)},
    )


def taken_once(scene: Stage, events: Mapping[str, Event], acks: Acks, known: int) -> Finding:
    """I1 to its end: stored, claimed once, and by one enrolment or one refusal of its own journey accounted for. What
    still waits is late, not lost (see `nothing_waits`)."""
    keys = {event_id: key for event_id, key, *_ in scene.rows(STORED)}
    acknowledged = {key for ack in acks for key in ack["keys"]}
    wanted = {key for key in acknowledged if events[key].may_start(known)}
    lost, twice, strange, refused, late, done = [], [], [], 0, 0, Counter[str]()
    for event_id, waits, claims, entered, reasons in scene.rows(LED_TO):
        key = keys.get(event_id, "")
        if key not in wanted:
            continue
        slug = JOURNEYS[events[key].type]
        outcomes = [*entered, *reasons]
        if waits:
            late += 1
        elif not outcomes:
            lost.append(key)
        elif len(outcomes) > 1 or claims != 1:
            twice.append(key)
        elif outcomes[0] not in {slug, f"{slug} re_entry"}:
            strange.append(f"{key}: {outcomes[0]}")
        refused += len(reasons)
        done[key] += 1
    lost += sorted(wanted - done.keys())
    twice += sorted(key for key, count in done.items() if count > 1)
    return Finding(
        TAKEN_ONCE,
        holds=bool(wanted) and not lost and not twice and not strange,
        figures={
            "triggers": len(wanted),
            "enrolled": len(wanted) - refused - len(lost) - late,
            "refused, being in or having been": refused,
            "lost": len(lost),
            "twice": len(twice),
            "for another reason": len(strange),
        },
        examples=first([*lost, *twice, *strange]),
        counts={"processed": len(acknowledged) - len(lost) - late, "lost": len(lost), "twice": len(twice)},
    )


def one_enrolment(scene: Stage, events: Mapping[str, Event], acks: Acks, known: int) -> Finding:
    """I3: exactly one for each person with an acknowledged arrival, at most one at a time for who knocks; and those who
    knocked entered, at least once each."""
    acknowledged = {key for ack in acks for key in ack["keys"]}
    expected = {
        kind: {
            people.external_id(events[key].person)
            for key in acknowledged
            if events[key].type == kind and events[key].may_start(known)
        }
        for kind in JOURNEYS
    }
    found = {
        kind: Counter(
            who
            for (who,) in scene.rows(
                "SELECT c.external_id FROM workflow_enrolments e JOIN workflows w ON w.id = e.workflow_id"
                "  JOIN contacts c ON c.id = e.contact_id WHERE w.slug = %s",
                [slug],
            )
        )
        for kind, slug in JOURNEYS.items()
    }
    ever = scene.rows(TWICE_EVER, [JOURNEYS[ARRIVED]])
    at_a_time = scene.rows(TWICE_AT_A_TIME, [JOURNEYS[KNOCKED], OVERLAP_SECONDS])
    wrong = sorted({who for kind in JOURNEYS for who in expected[kind] ^ found[kind].keys()})
    return Finding(
        ONE_ENROLMENT,
        holds=bool(expected[ARRIVED]) and bool(expected[KNOCKED]) and not ever and not at_a_time and not wrong,
        figures={
            "expected once": len(expected[ARRIVED]),
            "created": found[ARRIVED].total(),
            "twice ever": len(ever),
            "expected again and again": len(expected[KNOCKED]),
            "created for them": found[KNOCKED].total(),
            "twice at a time": len(at_a_time),
            "missing or unexpected": len(wrong),
        },
        examples=first([*(f"contact {row[0]}" for row in [*ever, *at_a_time]), *wrong]),
        counts={"twice": len(ever) + len(at_a_time)},
    )


def held(scene: Stage, events: Mapping[str, Event], known: int) -> Finding:
    """I20, its first half. The stamp that says so is taken when the event is stored, and is never taken back."""
    rows = scene.rows(STORED)
    led_to = {
        event_id: (waits, claims, [*entered, *why]) for event_id, waits, claims, entered, why in scene.rows(LED_TO)
    }
    without = [row for row in rows if row[1] in events and not events[row[1]].may_start(known)]
    started = [row[1] for row in without if led_to[row[0]] != (False, 0, [])]
    wrong = [key for _, key, _, processed, _ in rows if key in events and processed != events[key].may_start(known)]
    return Finding(
        HELD,
        holds=bool(without) and not started and not wrong,
        figures={"without consent": len(without), "started something": len(started), "stamped wrongly": len(wrong)},
        examples=first([*started, *wrong]),
    )


def stood_in_the_fire(scene: Stage, acks: Acks) -> Finding:
    """Zero means nothing if keys came once only, by one door, and if nobody knocked who was in."""
    deliveries = Counter(key for ack in acks for key in ack["keys"])
    again = sum(count - 1 for count in deliveries.values())
    at_once = sum(len(ack["keys"]) for ack in acks if ack["at_once"])
    doors = Counter(ack["door"] for ack in acks for _ in ack["keys"])
    tries = sum(ack["tries"] - 1 for ack in acks)
    refused = scene.number("SELECT count(*) FROM entry_refusals WHERE reason = 're_entry'")
    entries = "SELECT count(*) FROM workflow_enrolments e JOIN workflows w ON w.id = e.workflow_id WHERE w.slug = %s"
    again_and_again = scene.number(entries, [JOURNEYS[KNOCKED]])
    people_who_knocked = scene.number(
        "SELECT count(DISTINCT contact_id) FROM contact_events WHERE type = %s AND processed", [KNOCKED]
    )
    least = len(deliveries) // 10
    return Finding(
        "keys came again, at once and by several doors; many were in when they knocked, and some came back",
        holds=min(again, at_once, refused, *doors.values()) >= least and again_and_again > people_who_knocked,
        figures={
            "keys": len(deliveries),
            "deliveries of keys that were known": again,
            "of keys that came several times at once": at_once,
            **{f"by {door}": count for door, count in sorted(doors.items())},
            "requests tried again": tries,
            "entries of those who came back": again_and_again - people_who_knocked,
        },
    )


def nothing_waits(scene: Stage) -> Finding:
    """I13: what nobody rang for was found all the same."""
    states = dict(scene.rows("SELECT state, count(*) FROM workflow_enrolments GROUP BY state ORDER BY state"))
    waiting = scene.number("SELECT count(*) FROM pending_events")
    return Finding(
        NOTHING_WAITS,
        holds=states.keys() == {"completed"} and not waiting,
        figures={**states, "events still waiting": waiting},
    )
