"""Two contacts become one: one side of each threshold, one lifecycle stage.

Neither is news: nothing happened to the person, so no event is recorded, and nobody enters a journey because two
profiles were found to be one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from contacts import merging
from contacts.guarded import guarded_path
from contacts.signals import Merged
from scoring.crossings import checks
from scoring.lifecycle.stages import STAGES

SAID = "lifecycle_events: said by the merge"  # in the ledger of merges
SOURCE = "merge"


@dataclass(frozen=True)
class Stage:
    """The last row of a contact's lifecycle; a larger id came later."""

    id: int
    name: str


def unite(merges: Sequence[Merged], *, now: datetime) -> None:
    """Before the rows are given to the survivors, in the transaction of the merge."""
    _unite_sides(merges)
    _unite_stages(merges, now)
    checks.after_merges(contact_ids=[each.survivor_id for each in merges], now=now)


def part(merges: Sequence[Merged], *, now: datetime) -> None:
    """After the rows were given back."""
    both = [contact for each in merges for contact in (each.survivor_id, each.absorbed_id)]
    _rebuild_sides(both)
    for each in merges:
        _take_back_the_stage(each)
    checks.after_merges(contact_ids=both, now=now)


def stage_of(one: Stage, other: Stage) -> str:
    """The farther of two stages; where one of them is churned, the later. Pure."""
    if "churned" in (one.name, other.name):
        return max(one, other, key=lambda stage: stage.id).name
    return max(one.name, other.name, key=STAGES.index)


def _unite_sides(merges: Sequence[Merged]) -> None:
    """Above if either was: who crossed a threshold as one of them does not cross it again. Crossings go on counting
    after the higher number, so that each keeps its own. What one of them had yet to take note of, both have."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO score_sides (contact_id, score_name, threshold, above, seq, turned_at, ruleset_id)
            SELECT p.survivor, s.score_name, s.threshold, bool_or(s.above), max(s.seq), max(s.turned_at),
                   CASE WHEN bool_and(s.ruleset_id IS NOT NULL) THEN min(s.ruleset_id) END
              FROM unnest(%s::bigint[], %s::bigint[]) AS p(survivor, absorbed)
              JOIN score_sides s ON s.contact_id IN (p.survivor, p.absorbed)
             GROUP BY 1, 2, 3 HAVING bool_or(s.contact_id = p.absorbed)
            ON CONFLICT (contact_id, score_name, threshold) DO UPDATE SET above = EXCLUDED.above, seq = EXCLUDED.seq,
                turned_at = EXCLUDED.turned_at, ruleset_id = EXCLUDED.ruleset_id
            """,
            [[each.survivor_id for each in merges], [each.absorbed_id for each in merges]],
        )


def _rebuild_sides(contact_ids: Sequence[int]) -> None:
    """From what was told; where the activations since then put people is settled anew when they are next compared."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM score_sides WHERE contact_id = ANY(%s)", [list(contact_ids)])
        cursor.execute(
            """
            INSERT INTO score_sides (contact_id, score_name, threshold, above, seq, turned_at, ruleset_id)
            SELECT DISTINCT ON (contact_id, score_name, threshold)
                   contact_id, score_name, threshold, upward, seq, crossed_at, ruleset_id
              FROM score_crossings WHERE contact_id = ANY(%s) ORDER BY contact_id, score_name, threshold, seq DESC
            """,
            [list(contact_ids)],
        )


def _unite_stages(merges: Sequence[Merged], now: datetime) -> None:
    stages = _stages([contact for each in merges for contact in (each.survivor_id, each.absorbed_id)])
    for each in merges:
        one, other = stages.get(each.survivor_id), stages.get(each.absorbed_id)
        if one is None or other is None:
            continue
        last, stage = max(one, other, key=lambda row: row.id).name, stage_of(one, other)
        if last != stage:
            row_id = _say(each.survivor_id, last, stage, now)
            merging.remember(each.merge_id, SAID, [row_id])


def _take_back_the_stage(merge: Merged) -> None:
    """What the merge said is not said any more; a stage that came since stands."""
    with guarded_path(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM lifecycle_events WHERE id = ANY(%s)", [merging.remembered(merge.merge_id, SAID)])


def _stages(contact_ids: Sequence[int]) -> Mapping[int, Stage]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT ON (contact_id) contact_id, id, to_stage FROM lifecycle_events"
            " WHERE contact_id = ANY(%s) ORDER BY contact_id, id DESC",
            [list(contact_ids)],
        )
        return {contact_id: Stage(row_id, name) for contact_id, row_id, name in cursor.fetchall()}


def _say(contact_id: int, from_stage: str, to_stage: str, now: datetime) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO lifecycle_events (contact_id, from_stage, to_stage, reason, source, occurred_at)"
            " VALUES (%s, %s, %s, %s, %s, %s) RETURNING id",
            [contact_id, from_stage, to_stage, "the farther stage of two merged contacts", SOURCE, now],
        )
        return cursor.fetchone()[0]
