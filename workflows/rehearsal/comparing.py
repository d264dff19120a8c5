"""What the rehearsal did beside what the journey really did in the same period: journal against journal."""

from __future__ import annotations

from typing import Any

from workflows.rehearsal import filling
from workflows.rehearsal.asked import Asked, Piece
from workflows.rehearsal.filling import SAMPLED
from workflows.rehearsal.report import Comparison, Count, Difference
from workflows.scratch import Scratch

EXAMPLES = 50

# Each enrolment as a line: steps, outcomes and ways in their order. The n-th entry of a contact is the n-th.
_SIDE = """
    SELECT e.contact_id, row_number() OVER (PARTITION BY e.contact_id ORDER BY e.id) AS entry, e.id,
           CASE WHEN e.finished_at < %(until)s THEN e.state || ' ' || e.exit_reason ELSE '' END AS ending,
           COALESCE((SELECT string_agg(j.step || ' ' || j.outcome || CASE j.port WHEN '' THEN '' ELSE ' ' || j.port END,
                                       ', ' ORDER BY j.seq)
                       FROM {journal} j WHERE j.enrolment_id = e.id AND j.at < %(until)s), '') AS way
      FROM {enrolments} e
     WHERE e.workflow_id = %(workflow)s AND e.entered_at >= %(since)s AND e.entered_at < %(until)s AND {which}
"""
_BOTH = """
    WITH really AS MATERIALIZED ({real}), rehearsed AS MATERIALIZED ({played}),
    both_sides AS (
        SELECT contact_id, entry, r.id AS real_id, p.id AS played_id, r.way AS really, p.way AS rehearsed,
               r.ending AS real_end, p.ending AS played_end,
               CASE WHEN p.id IS NULL THEN 'only_really' WHEN r.id IS NULL THEN 'only_rehearsed'
                    WHEN r.way <> p.way THEN 'another_way' WHEN r.ending <> p.ending THEN 'another_end'
                    ELSE 'same' END AS what
          FROM really r FULL JOIN rehearsed p USING (contact_id, entry))
"""
_APART = """
    SELECT COALESCE(percentile_cont(0.95) WITHIN GROUP (ORDER BY apart), 0), COALESCE(max(apart), 0) FROM (
           SELECT abs(extract(epoch FROM p.at - r.at))::float AS apart
             FROM both_sides b
             JOIN workflow_journal r ON r.enrolment_id = b.real_id
             JOIN {double}.workflow_journal p ON p.enrolment_id = b.played_id AND p.seq = r.seq
            WHERE b.what = 'same' AND r.at < %(until)s) pairs
"""


def compare(room: Scratch, asked: Asked, piece: Piece) -> Comparison | None:
    """None where nobody really entered in the period."""
    sampled = SAMPLED.replace("{contact}", "e.contact_id")
    of_version = "" if piece.number is None else " AND v.number = %(number)s"
    which = f"{sampled} AND EXISTS (SELECT FROM workflow_versions v WHERE v.id = e.version_id{of_version})"
    real = _side("", which)
    played = _side("{double}.", f"e.id > {filling.AHEAD}")
    both = _BOTH.replace("{real}", real).replace("{played}", played)
    params: dict[str, Any] = {
        "since": asked.since,
        "until": asked.until,
        "workflow": piece.workflow_id,
        "number": piece.number,
        "sample": round(asked.sample * 100),
    }
    counts = dict(room.ask_live(f"{both} SELECT what, count(*) FROM both_sides GROUP BY 1", params))
    if not set(counts) - {"only_rehearsed"}:
        return None
    examples = room.ask_live(
        f"{both} SELECT c.public_id::text, entry, what, COALESCE(concat_ws('; ', really, NULLIF(real_end, '')), ''),"
        " COALESCE(concat_ws('; ', rehearsed, NULLIF(played_end, '')), '') FROM both_sides"
        f" JOIN contacts c ON c.id = contact_id WHERE what <> 'same' ORDER BY contact_id, entry LIMIT {EXAMPLES}",
        params,
    )
    apart, farthest = room.ask_live(both + _APART, params)[0]
    same = counts.pop("same", 0)
    return Comparison(
        really=same + sum(number for what, number in counts.items() if what != "only_rehearsed"),
        same=same,
        differences=tuple(Count(what, number) for what, number in sorted(counts.items())),
        examples=tuple(Difference(*row) for row in examples),
        apart=round(apart, 3),
        farthest=round(farthest, 3),
    )


def _side(prefix: str, which: str) -> str:
    side = _SIDE.replace("{journal}", f"{prefix}workflow_journal").replace("{which}", which)
    return side.replace("{enrolments}", f"{prefix}workflow_enrolments")
