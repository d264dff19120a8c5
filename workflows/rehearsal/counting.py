"""Counting what happened in a scratch, in a handful of statements."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from delivery import wording as post_words
from workflows import wording
from workflows.rehearsal import filling
from workflows.rehearsal.asked import OCCURRED, Asked, Piece
from workflows.rehearsal.reading import Scope
from workflows.rehearsal.report import Collision, Comparison, Count, Day, Effort, Passed, Report, Spent, Way
from workflows.scratch import Scratch

NEAR = timedelta(hours=24)

_SENT = """
    SELECT (at AT TIME ZONE 'UTC')::date::text, count(*) FILTER (WHERE kind = 'accepted'),
           count(*) FILTER (WHERE kind IN ('suppressed', 'capped', 'cancelled', 'rejected'))
      FROM contact_send_log WHERE workflow_id = %s AND id > %s
     GROUP BY 1 HAVING count(*) FILTER (WHERE kind IN ('accepted', 'suppressed', 'capped', 'cancelled', 'rejected')) > 0
     ORDER BY 1
"""
_PER_CONTACT = """
    SELECT sent::text, count(*) FROM (
           SELECT contact_id, count(*) AS sent FROM contact_send_log
            WHERE workflow_id = %s AND id > %s AND kind = 'accepted' GROUP BY 1) each
     GROUP BY sent ORDER BY sent
"""
_CAME = """
    WITH mine AS (SELECT id, step, state FROM workflow_enrolments WHERE workflow_id = %s AND id > %s),
         met AS (SELECT j.enrolment_id AS id, j.step FROM workflow_journal j JOIN mine ON mine.id = j.enrolment_id
                  UNION SELECT id, step FROM mine WHERE state <> 'pending')
    SELECT met.step, count(*),
           count(*) FILTER (WHERE mine.step = met.step AND mine.state IN ('active', 'waiting'))
      FROM met JOIN mine USING (id) WHERE met.step <> '' GROUP BY 1
"""
_POST = """
    SELECT m.step, count(*) FILTER (WHERE l.kind = 'accepted'),
           count(*) FILTER (WHERE l.kind IN ('suppressed', 'capped', 'cancelled', 'rejected'))
      FROM contact_send_log l JOIN messages m ON m.id = l.message_id
     WHERE l.workflow_id = %s AND l.id > %s GROUP BY 1
"""
_WAYS = """
    SELECT j.step, j.step_type, j.port, count(*) FROM workflow_journal j
      JOIN workflow_enrolments e ON e.id = j.enrolment_id
     WHERE e.workflow_id = %s AND e.id > %s AND j.outcome = 'advanced'
     GROUP BY 1, 2, 3 ORDER BY 1, 4 DESC, 3
"""
_STUCK = """
    SELECT step, count(*) FROM workflow_enrolments
     WHERE workflow_id = %s AND id > %s AND state IN ('pending', 'active', 'waiting') AND (wake_at <= %s OR held)
     GROUP BY 1 ORDER BY 2 DESC, 1
"""
_BEYOND = """
    SELECT step, count(*) FROM workflow_enrolments
     WHERE workflow_id = %s AND id > %s AND state IN ('active', 'waiting') AND wake_at > %s
     GROUP BY 1 ORDER BY 2 DESC, 1
"""
_SPENT = """
    SELECT count(*), percentile_cont(0.5) WITHIN GROUP (ORDER BY took),
           percentile_cont(0.9) WITHIN GROUP (ORDER BY took), max(took)
      FROM (SELECT extract(epoch FROM finished_at - entered_at)::float AS took FROM workflow_enrolments
             WHERE workflow_id = %s AND id > %s AND state IN ('completed', 'exited')) ended
"""
_COLLISIONS = """
    SELECT w.slug, w.name, count(DISTINCT mine.contact_id), count(DISTINCT theirs.id)
      FROM {double}.contact_send_log mine
      JOIN messages theirs ON theirs.contact_id = mine.contact_id
       AND theirs.created_at > mine.at - %(near)s AND theirs.created_at < mine.at + %(near)s
       AND theirs.workflow_id IS NOT NULL AND theirs.workflow_id <> %(workflow)s
      JOIN message_states s ON s.message_id = theirs.id AND s.state NOT IN ('suppressed', 'capped', 'cancelled')
      JOIN workflows w ON w.id = theirs.workflow_id
     WHERE mine.workflow_id = %(workflow)s AND mine.id > %(ahead)s AND mine.kind = 'accepted'
     GROUP BY 1, 2 ORDER BY 3 DESC, 1
"""


def count(
    room: Scratch, asked: Asked, piece: Piece, scope: Scope, *, effort: Effort, comparison: Comparison | None
) -> Report:
    """The report of what stands in the room now."""
    mine: list[Any] = [piece.workflow_id, filling.AHEAD]
    days = [Day(*row) for row in room.ask(_SENT, mine)]
    per_contact = _counts(room.ask(_PER_CONTACT, mine))
    ended = room.ask(_SPENT, mine)[0]
    enrolments = f"FROM workflow_enrolments WHERE workflow_id = %s AND id > {filling.AHEAD}"
    ((entered, people),) = room.ask(f"SELECT count(*), count(DISTINCT contact_id) {enrolments}", [piece.workflow_id])
    reasons = "SELECT reason, count(*) FROM contact_send_log WHERE workflow_id = %s AND id > %s"
    reasons += " AND kind IN ('suppressed', 'capped', 'cancelled', 'rejected') GROUP BY 1 ORDER BY 2 DESC, 1"
    refused = "SELECT reason, count(*) FROM entry_refusals WHERE workflow_id = %s GROUP BY 1 ORDER BY 2 DESC, 1"
    unfinished = f"SELECT step, count(*) {enrolments} AND finished_at IS NULL GROUP BY 1 ORDER BY 2 DESC, 1"
    named = {key: str(step.get("name") or "") for key, step in piece.definition["steps"].items()}
    states = room.ask(f"SELECT state, count(*) {enrolments} GROUP BY 1 ORDER BY 2 DESC", [piece.workflow_id])
    exits = room.ask(
        f"SELECT exit_reason, count(*) {enrolments} AND state = 'exited' GROUP BY 1 ORDER BY 2 DESC, 1",
        [piece.workflow_id],
    )
    return Report(
        slug=piece.slug,
        name=piece.name,
        version=piece.number,
        since=asked.since.isoformat(),
        until=asked.until.isoformat(),
        sample=asked.sample,
        contacts=room.ask("SELECT count(*) FROM contacts")[0][0],
        entered=entered,
        people=people,
        refused=_counts(room.ask(refused, [piece.workflow_id]), wording.refusal),
        standing=_named(room.ask(unfinished, [piece.workflow_id]), named),
        states=_counts(states),
        exits=_counts(exits, wording.exit_reason),
        steps=_passed(room, mine),
        ways=_ways(room.ask(_WAYS, mine), named),
        sent=sum(day.sent for day in days),
        days=tuple(days),
        most_to_one=max((int(each.name) for each in per_contact), default=0),
        per_contact=per_contact,
        held_back=_counts(room.ask(reasons, mine), post_words.reason),
        stuck=_named(room.ask(_STUCK, [*mine, room.now]), named),
        beyond=_named(room.ask(_BEYOND, [*mine, room.now]), named),
        spent=Spent(*ended) if ended[0] else None,
        collisions=_collisions(room, piece),
        comparison=comparison,
        notes=tuple(_notes(asked, scope, effort)),
        effort=effort,
        definition=piece.definition if piece.number is None else None,
    )


def _passed(room: Scratch, mine: list[Any]) -> tuple[Passed, ...]:
    came = {step: (count, standing) for step, count, standing in room.ask(_CAME, mine)}
    post = {step: (sent, held_back) for step, sent, held_back in room.ask(_POST, mine)}
    return tuple(Passed(step, *came[step], *post.get(step, (0, 0))) for step in sorted(came))


def _counts(rows: Iterable[tuple[Any, ...]], words: Any = None) -> tuple[Count, ...]:
    return tuple(Count(name, number, words(name) if words else "") for name, number in rows)


def _named(rows: Iterable[tuple[Any, ...]], names: dict[str, str]) -> tuple[Count, ...]:
    return tuple(Count(step, number, names.get(step, "")) for step, number in rows)


def _ways(rows: Iterable[tuple[Any, ...]], names: dict[str, str]) -> tuple[Way, ...]:
    """Of the steps that have more than one way out, as far as anybody took one of them."""
    found: dict[str, list[Count]] = defaultdict(list)
    for step, _, port, number in rows:
        found[step].append(Count(port, number))
    ways = []
    for step, ports in found.items():
        if len(ports) > 1 or ports[0].name not in ("", "next"):
            total = sum(port.count for port in ports)
            shares = tuple(round(port.count * 100 / total, 1) for port in ports)
            ways.append(Way(step, names.get(step, ""), tuple(ports), shares))
    return tuple(ways)


def _collisions(room: Scratch, piece: Piece) -> tuple[Collision, ...]:
    params = {"near": NEAR, "workflow": piece.workflow_id, "ahead": filling.AHEAD}
    return tuple(Collision(*row) for row in room.ask_live(_COLLISIONS, params))


def _notes(asked: Asked, scope: Scope, effort: Effort) -> Iterable[str]:
    yield "Everybody starts outside: whoever was under way when the period began is not."
    if scope.scores or scope.segments:
        yield "Segments and scoring rules are today's."
    if asked.clock == OCCURRED:
        yield "Events happened when they occurred; contacts are as they were known when the period began."
    if scope.others:
        yield "Nobody is in another journey."
    if asked.sample < 100:
        yield f"A sample of {asked.sample:g} % of the contacts: counts are of the sample."
    if effort.unmatched_feedback:
        yield f"{effort.unmatched_feedback:,} opens, clicks and the like found no message to belong to."
