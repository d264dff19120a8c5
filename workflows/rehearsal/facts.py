"""The facts of a period, read from the live schema in the order in which they became known: what the world did. What
the rehearsed journey did itself, and what followed by our own rules, is left out: the rehearsal does it anew."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from workflows.rehearsal.asked import OCCURRED, RECORDED, Asked, Piece
from workflows.rehearsal.filling import KNOWN_FROM, LIVING, SAMPLED, parameters
from workflows.rehearsal.reading import Scope
from workflows.scratch import Scratch

FETCHED = 2_000  # rows in memory at a time
STRIDE = timedelta(days=7)  # so much of the period is read in one statement

# Our own events that the doors record when the fact behind them is played.
_PRODUCED = (
    "tag_added", "tag_removed", "list_joined", "list_left", "lifecycle_changed", "score_threshold_crossed",
    "segment_entered", "segment_left", "workflow_entered", "workflow_exited",
)  # fmt: skip
# Ways into a journey that nothing in the log leads to: somebody asked for it.
_ASKED_FOR = ("manual", "api", "enter_workflow")


@dataclass(frozen=True)
class Fact:
    """`kind` names its function in `playing`. `detail` is what it needs."""

    at: datetime
    kind: str
    id: int
    contact_id: int | None
    detail: Mapping[str, Any]


_SOURCES = {
    "arrived": f"""
        SELECT known.at, 0, c.id, c.id, '{{}}'::jsonb FROM contacts c CROSS JOIN LATERAL (SELECT {KNOWN_FROM}) known(at)
         WHERE known.at >= %(a)s AND known.at < %(b)s AND {LIVING}""",
    "consent": """
        SELECT r.recorded_at, 1, r.id, r.contact_id,
               jsonb_build_object('category', category, 'topic', topic, 'state', state, 'source', source)
          FROM consent_records r WHERE r.recorded_at >= %(a)s AND r.recorded_at < %(b)s""",
    "change": """
        SELECT h.changed_at, 2, h.id, h.contact_id,
               jsonb_build_object('kind', kind, 'name', name, 'new', new, 'source', source)
          FROM contact_changes h WHERE h.changed_at >= %(a)s AND h.changed_at < %(b)s
           AND h.kind IN ('attribute', 'field', 'tag', 'list') AND h.source <> 'workflow:' || %(slug)s""",
    "stage": """
        SELECT l.occurred_at, 2, l.id, l.contact_id,
               jsonb_build_object('to', to_stage, 'reason', reason, 'source', source)
          FROM lifecycle_events l WHERE l.occurred_at >= %(a)s AND l.occurred_at < %(b)s
           AND l.source <> 'workflow:' || %(slug)s AND l.source <> 'score'""",
    "event": """
        SELECT e.{at}, 3, e.id, e.contact_id, CASE WHEN {loud} THEN jsonb_build_object('type', e.type,
               'occurred_at', e.occurred_at, 'properties', e.properties, 'context', e.context, 'source', e.source)
               ELSE 'null' END
          FROM contact_events e
         WHERE e.{at} >= %(a)s AND e.{at} < %(b)s AND e.processed {bound}
           AND (%(types)s::text[] IS NULL OR e.type = ANY(%(types)s))
           AND NOT (e.source = 'own' AND (
                e.type = ANY(%(produced)s) OR e.properties -> 'workflow_id' = to_jsonb(%(workflow)s::bigint)
                OR e.context -> 'via' ->> -1 = %(slug)s))""",
    "asked_in": """
        SELECT n.entered_at, 4, n.id, n.contact_id,
               jsonb_build_object('trigger', n.trigger, 'lane', n.lane)
          FROM workflow_enrolments n
         WHERE n.workflow_id = %(workflow)s AND n.entered_at >= %(a)s AND n.entered_at < %(b)s
           AND n.entry_event_id IS NULL AND n.trigger ->> 'type' = ANY(%(asked_for)s)""",
    "taken_out": """
        SELECT n.finished_at, 4, n.id, n.contact_id, '{}'::jsonb FROM workflow_enrolments n
         WHERE n.workflow_id = %(workflow)s AND n.finished_at >= %(a)s AND n.finished_at < %(b)s
           AND n.exit_reason = 'manually_removed'""",
    "feedback": """
        SELECT f.recorded_at, 5, f.id, m.contact_id,
               jsonb_build_object('step', m.step, 'nth', m.nth, 'kind', f.kind, 'occurred_at', f.occurred_at,
                                  'is_machine', f.is_machine, 'detail', f.detail, 'provider', f.provider)
          FROM (SELECT id, contact_id, step, row_number() OVER (PARTITION BY contact_id, step ORDER BY id) AS nth
                  FROM messages WHERE workflow_id = %(workflow)s AND created_at >= %(since)s) m
          JOIN message_feedback f ON f.message_id = m.id
         WHERE f.recorded_at >= %(a)s AND f.recorded_at < %(b)s""",
    "suppressed": """
        SELECT s.created_at, 6, s.id, NULL::bigint,
               jsonb_build_object('address_id', s.address_id, 'scope', s.scope, 'reason', s.reason, 'source', s.source)
          FROM suppressions s LEFT JOIN messages m ON m.id = s.message_id
         WHERE s.created_at >= %(a)s AND s.created_at < %(b)s AND m.workflow_id IS DISTINCT FROM %(workflow)s""",
    "released": """
        SELECT s.released_at, 6, s.id, NULL::bigint,
               jsonb_build_object('address_id', s.address_id, 'scope', s.scope, 'reason', s.reason)
          FROM suppressions s WHERE s.released_at >= %(a)s AND s.released_at < %(b)s""",
    "counted": """
        SELECT l.at, 7, l.id, l.contact_id, jsonb_build_object('message_id', l.message_id)
          FROM contact_send_log l
         WHERE l.at >= %(a)s AND l.at < %(b)s AND l.cap_delta <> 0 AND l.workflow_id IS DISTINCT FROM %(workflow)s""",
}


def stream(room: Scratch, asked: Asked, piece: Piece, scope: Scope) -> Iterator[Fact]:
    """All facts of the period, in order; of the sampled contacts alone, where there is a sample."""
    a = asked.since
    while a < asked.until:
        b = min(a + STRIDE, asked.until)
        params = parameters(asked, piece, scope) | {
            "a": a,
            "b": b,
            "loud": None if scope.loud is None else sorted(scope.loud),
            "produced": list(_PRODUCED),
            "asked_for": list(_ASKED_FOR),
        }
        for rows in room.stream_live(_query(asked), params, size=FETCHED):
            for at, kind, fact_id, contact_id, detail in rows:
                said = detail if isinstance(detail, dict) else json.loads(detail or "null")
                yield Fact(at, kind if said is not None else "quiet", fact_id, contact_id, said or {})
        a = b


def count(room: Scratch, asked: Asked, piece: Piece, scope: Scope) -> int:
    """About how many facts there are, for those who wait: the events among them."""
    params = parameters(asked, piece, scope) | {"a": asked.since, "b": asked.until}
    ((events,),) = room.ask_live(
        f"SELECT count(*) FROM contact_events e WHERE e.{asked.clock}_at >= %(a)s AND e.{asked.clock}_at < %(b)s"
        " AND e.processed AND (%(types)s::text[] IS NULL OR e.type = ANY(%(types)s))",
        params,
    )
    return int(events)


def _query(asked: Asked) -> str:
    """The bound on `recorded_at` spares the partitions before: nothing is recorded long before it occurs."""
    parts = []
    for kind, source in _SOURCES.items():
        if kind == "arrived" and asked.clock == OCCURRED:
            continue  # of imported history everybody is there from the beginning
        text = source
        if kind == "event":
            bound = "" if asked.clock == RECORDED else "AND e.recorded_at >= %(a)s - interval '1 day'"
            text = text.replace("{at}", f"{asked.clock}_at").replace("{bound}", bound)
            text = text.replace("{loud}", "(%(loud)s::text[] IS NULL OR e.type = ANY(%(loud)s))")
        whole = f"SELECT at, place, id, contact_id, detail FROM ({text}) AS f(at, place, id, contact_id, detail)"
        parts.append(f"SELECT at, '{kind}' AS kind, id, contact_id, detail, place FROM ({whole}) {kind}_facts")
    sampled = SAMPLED.replace("{contact}", "contact_id")
    return (
        f"SELECT at, kind, id, contact_id, detail FROM ({' UNION ALL '.join(parts)}) facts"
        f" WHERE contact_id IS NULL OR {sampled} ORDER BY at, place, id"
    )
