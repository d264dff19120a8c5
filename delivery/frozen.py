"""Messages of frozen workflows: the claim that meets one lays it aside, so that no later claim passes it over again,
and it is taken up once its workflow is released. And letting go of what a freeze of everything held back.

Laid aside is what waits in a lane that nobody works on. It is queued all the same: who is erased or leaves takes it
along."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import connection

from contacts import freezing
from contacts.freezing import Way
from delivery import ledger
from delivery.due import Due

LANE = "frozen"  # of the outbox; a message keeps its own
BATCH = 500
DROPPED = "restored"  # the reason of what was let go

WAYS = (
    Way(
        "outbox",
        "q.state = 'sending' AND q.lease_until > now() AND (%(workflow)s::bigint IS NULL OR EXISTS ("
        "SELECT FROM messages m WHERE m.id = q.message_id AND m.workflow_id = %(workflow)s))",
    ),
    Way("staff_notices", "q.state = 'sending' AND q.lease_until > now() AND %(workflow)s::bigint IS NULL"),
    Way("webhook_deliveries", "q.state = 'calling' AND q.due_at > now() AND %(workflow)s::bigint IS NULL"),
)

_TAKE_UP = f"""
    WITH free AS MATERIALIZED (
        SELECT o.message_id, m.lane FROM outbox o JOIN messages m ON m.id = o.message_id
         WHERE o.state = 'queued' AND o.lane = %s
           AND COALESCE(m.workflow_id NOT IN ({freezing.FROZEN_WORKFLOWS}), true)
         ORDER BY o.message_id LIMIT %s FOR UPDATE OF o SKIP LOCKED)
    UPDATE outbox o SET lane = free.lane FROM free WHERE o.message_id = free.message_id
"""


def lay_aside(taken: Sequence[Due]) -> list[Due]:
    """Of messages that the caller's transaction has locked, those that are not frozen. One statement, or none."""
    frozen = [due.message_id for due in taken if due.is_frozen]
    if not frozen:
        return list(taken)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE outbox SET lane = %s WHERE message_id = ANY(%s)", [LANE, frozen])
    return [due for due in taken if not due.is_frozen]


def take_up_batch() -> bool:
    """Back into their lanes with those whose workflow is frozen no more. Returns whether there were any. The sweep does
    so again and again: whatever was laid aside by a claim that began before the release is found by a later one."""
    with connection.cursor() as cursor:
        cursor.execute(_TAKE_UP, [LANE, BATCH])
        return cursor.rowcount > 0


def is_work_waiting() -> bool:
    """Whether anything is laid aside in a workflow that is not frozen. One statement, in the index of the claims."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT EXISTS (SELECT FROM outbox o JOIN messages m ON m.id = o.message_id
                            WHERE o.state = 'queued' AND o.lane = %s
                              AND COALESCE(m.workflow_id NOT IN ({freezing.FROZEN_WORKFLOWS}), true))
            """,
            [LANE],
        )
        return cursor.fetchone()[0]


# -- letting go of what a restored copy would send again ---------------------------------------------------------------


def drop_messages(*, before: datetime, now: datetime) -> int:
    """Close a batch of messages that were queued before this instant, skipped as `restored`; nothing is deleted. In
    the caller's transaction. Returns how many."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT o.message_id FROM outbox o JOIN messages m ON m.id = o.message_id
             WHERE o.state = 'queued' AND m.created_at < %s
             ORDER BY o.message_id LIMIT %s FOR UPDATE OF o
            """,
            [before, BATCH],
        )
        found = [message_id for (message_id,) in cursor.fetchall()]
    ledger.close([ledger.Entry(message_id, "cancelled", reason=DROPPED) for message_id in found], now=now)
    return len(found)


def drop_notices(*, before: datetime, now: datetime) -> int:
    """As `drop_messages`: mails to those who work here. Their words go."""
    return _drop(
        """
        UPDATE staff_notices SET state = 'rejected', reason = %s, text = '', html = '', attachments = '[]',
               finished_at = %s
         WHERE id IN (SELECT id FROM staff_notices WHERE state = 'queued' AND created_at < %s
                       ORDER BY id LIMIT %s FOR UPDATE)
        """,
        before,
        now,
    )


def drop_posts(*, before: datetime, now: datetime) -> int:
    """As `drop_messages`: deliveries to other people's servers. They can be replayed."""
    return _drop(
        """
        UPDATE webhook_deliveries SET state = 'failed', reason = %s, finished_at = %s
         WHERE id IN (SELECT id FROM webhook_deliveries WHERE state IN ('queued', 'calling') AND created_at < %s
                       ORDER BY id LIMIT %s FOR UPDATE)
        """,
        before,
        now,
    )


def _drop(statement: str, before: datetime, now: datetime) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement, [DROPPED, now, before, BATCH])
        return cursor.rowcount
