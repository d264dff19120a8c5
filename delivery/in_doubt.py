"""Messages of which nobody knows whether the provider has them: a worker was killed between claim and outcome, or no
full answer came. Most of them were taken, so none is sent again without proof that it was not.

sending -> in_doubt      the lease is over, and so is the longest wait for an answer
in_doubt -> accepted     the provider reported something about it, or was asked (`delivery.inquiries`): it has it
in_doubt -> undetermined nothing was heard of it until IN_DOUBT_DEADLINE: final, and shown as what it is
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection

from contacts import transactions
from contacts.durations import window
from delivery import facts, ledger

BATCH = 500

_FIND_LOST = """
    SELECT message_id, attempt, address_id,
           EXISTS (SELECT 1 FROM contact_send_log l WHERE l.message_id = o.message_id AND l.kind = 'in_doubt')
      FROM outbox o
     WHERE state = 'sending' AND lease_until < %s
     ORDER BY message_id LIMIT %s FOR UPDATE SKIP LOCKED
"""
_FIND_OLD = """
    SELECT message_id, attempt, address_id FROM outbox
     WHERE state = 'in_doubt' AND lease_until < %s
     ORDER BY message_id LIMIT %s FOR UPDATE SKIP LOCKED
"""
_FIND_REPORTED = """
    SELECT message_id, attempt, address_id FROM outbox o
     WHERE state = 'in_doubt' AND EXISTS (SELECT 1 FROM message_feedback f WHERE f.message_id = o.message_id)
     ORDER BY message_id LIMIT %s FOR UPDATE SKIP LOCKED
"""
_FIND_THESE = """
    SELECT message_id, attempt, address_id FROM outbox
     WHERE state = 'in_doubt' AND message_id = ANY(%s) ORDER BY message_id FOR UPDATE
"""


def reap_batch() -> bool:
    """Messages whose worker was lost become in doubt. Returns whether there were any."""
    return transactions.run(_reap)


def _reap(now: datetime) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_FIND_LOST, [now - timedelta(seconds=settings.ESP_TIMEOUT_SECONDS), BATCH])
        lost = [
            # one that was in doubt before was being handed over again: it is the same doubt, and told once
            ledger.Entry(message_id, "deferred" if was_in_doubt else "in_doubt", attempt, "worker_lost", address_id)
            for message_id, attempt, address_id, was_in_doubt in cursor.fetchall()
        ]
    ledger.doubt(lost, now=now)
    return bool(lost)


def settle_batch() -> bool:
    """End the doubts that can be ended: by what was reported meanwhile, and by the deadline. Returns whether any was.

    A report that was folded while its message was still `sending` is noticed here, once the message is in doubt."""
    return transactions.run(_settle)


def _settle(now: datetime) -> bool:
    reported = _find(_FIND_REPORTED, [BATCH], "accepted", "reported")
    _accept(reported, now=now)
    deadline = now - window(settings.IN_DOUBT_DEADLINE, speed=settings.TIME_SPEED)
    old = _find(_FIND_OLD, [deadline, BATCH], "undetermined", "deadline")
    ledger.close(old, now=now)
    return bool(reported or old)


def resolve(message_ids: Sequence[int], *, reason: str = "reported", now: datetime) -> None:
    """The provider has these: it reported something about them, or was asked. Call inside a transaction."""
    _accept(_find(_FIND_THESE, [list(message_ids)], "accepted", reason), now=now)


def _find(statement: str, params: list[Any], kind: str, reason: str) -> list[ledger.Entry]:
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        return [
            ledger.Entry(message_id, kind, attempt, reason, address_id)
            for message_id, attempt, address_id in cursor.fetchall()
        ]


def _accept(entries: Sequence[ledger.Entry], *, now: datetime) -> None:
    ledger.close(entries, now=now)
    facts.record([facts.once(entry.message_id, facts.SENT, now) for entry in entries], now=now)
