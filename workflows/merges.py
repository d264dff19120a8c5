"""Two contacts become one: of two ways through the same workflow one goes on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import connection

from contacts import merging
from contacts.signals import Merged
from workflows.watches import exits

REASON = "contact_merged"
ONCE = "workflow_enrolments: no longer the only one"  # in the ledger of merges


def choose(merges: Sequence[Merged], *, now: datetime) -> None:
    """Before the enrolments are given to the survivors, in the transaction of the merge: the earliest unfinished one of
    a workflow and key stays, the others leave as `contact_merged`, and what they left in the queue is cancelled.

    Where both went through a workflow that nobody enters twice, the survivor's row goes on barring the third."""
    people = [[each.survivor_id for each in merges], [each.absorbed_id for each in merges]]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT later.id FROM unnest(%s::bigint[], %s::bigint[]) AS p(survivor, absorbed)
             CROSS JOIN LATERAL (
                   SELECT id, row_number() OVER (PARTITION BY workflow_id, entry_key ORDER BY entered_at, id) AS place
                     FROM workflow_enrolments
                    WHERE contact_id IN (p.survivor, p.absorbed) AND state IN ('pending', 'active', 'waiting')) later
             WHERE later.place > 1
            """,
            people,
        )
        exits.leave([enrolment_id for (enrolment_id,) in cursor.fetchall()], reason=REASON, now=now)
        cursor.execute(
            """
            UPDATE workflow_enrolments e SET once = false
              FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS p(merge_id, survivor, absorbed)
             WHERE e.contact_id = p.absorbed AND e.contact_id = ANY(%s) AND e.once
               AND EXISTS (SELECT FROM workflow_enrolments o
                            WHERE o.contact_id = p.survivor AND o.workflow_id = e.workflow_id
                              AND o.entry_key = e.entry_key AND o.once)
            RETURNING p.merge_id, e.id
            """,
            [[each.merge_id for each in merges], *people, people[1]],
        )
        given_up: dict[int, list[int]] = {}
        for merge_id, enrolment_id in cursor.fetchall():
            given_up.setdefault(merge_id, []).append(enrolment_id)
    for merge_id, enrolment_ids in given_up.items():
        merging.remember(merge_id, ONCE, enrolment_ids)


def part(merges: Sequence[Merged]) -> None:
    """After the enrolments were given back: each bars a second one of its own contact again."""
    for each in merges:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE workflow_enrolments SET once = true WHERE id = ANY(%s) AND contact_id = %s",
                [merging.remembered(each.merge_id, ONCE), each.absorbed_id],
            )
