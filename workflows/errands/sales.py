"""What journeys ask of salespeople: made by the step `notify_sales`, done in the admin."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection


@dataclass(frozen=True)
class NewTask:
    """`owner_email` empty: nobody owns the contact, so it is everybody's."""

    enrolment_id: int
    seq: int
    contact_id: int
    workflow_id: int
    owner_email: str
    message: str


def make(tasks: Sequence[NewTask], *, now: datetime) -> None:
    """Write them, in the caller's transaction; one that was made already is left as it is. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO sales_tasks (enrolment_id, seq, contact_id, workflow_id, owner_email, message, made_at)
            SELECT t.*, %s FROM unnest(%s::bigint[], %s::int[], %s::bigint[], %s::bigint[], %s::text[], %s::text[])
                   AS t(enrolment_id, seq, contact_id, workflow_id, owner_email, message)
            ON CONFLICT ON CONSTRAINT one_sales_task_per_enrolment_and_seq DO NOTHING
            """,
            [
                now,
                [task.enrolment_id for task in tasks],
                [task.seq for task in tasks],
                [task.contact_id for task in tasks],
                [task.workflow_id for task in tasks],
                [task.owner_email for task in tasks],
                [task.message for task in tasks],
            ],
        )


def finish(task_ids: Collection[int], *, by: str, now: datetime) -> int:
    """They are done. Returns how many of them were open."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE sales_tasks SET done_at = %s, done_by = %s WHERE id = ANY(%s) AND done_at IS NULL",
            [now, by, sorted(task_ids)],
        )
        return cursor.rowcount


def reopen(task_ids: Collection[int]) -> int:
    """They are to be done after all. Returns how many of them were done."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE sales_tasks SET done_at = NULL, done_by = '' WHERE id = ANY(%s) AND done_at IS NOT NULL",
            [sorted(task_ids)],
        )
        return cursor.rowcount
