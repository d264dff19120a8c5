"""Addresses that are not written to: claim, start-lease and drain barrier, from the side of whoever says "no more".

The address row is the lock on which this meets the gate. Suppressed first: the gate reads the suppression after it has
waited for the row. Claimed first: the claim is visible here once the row is ours, and `drain` waits until its outcome
is known or its lease has passed, after which the sender refuses to start. So when `suppress` returns, no request to
the address can start any more.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import connection, transaction

from contacts import audit, authority, chaos, transactions
from delivery import addresses
from delivery.verdicts import ALL

ALWAYS_ALL = frozenset({"hard_bounce", "complaint"})  # these bar transactional mail too, whatever the scope asked for
STEP_SECONDS = 0.01


@dataclass(frozen=True)
class NewSuppression:
    """`address_id`: a row of `addresses`. `scope`: all · a channel (its marketing) · a topic."""

    address_id: int
    scope: str
    reason: str
    source: str
    message_id: int | None = None


def record(suppressions: Sequence[NewSuppression], *, now: datetime) -> None:
    """Write them, under the locks of their addresses, which the caller's transaction holds. One that stands already is
    left as it is."""
    if not suppressions:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO suppressions (address_id, scope, reason, source, message_id, created_at)
            SELECT r.*, %s FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::bigint[])
                   AS r (address_id, scope, reason, source, message_id)
             ORDER BY r.address_id, r.scope, r.reason
                ON CONFLICT (address_id, scope, reason) WHERE released_at IS NULL DO NOTHING
            """,
            [
                now,
                [s.address_id for s in suppressions],
                [ALL if s.reason in ALWAYS_ALL else s.scope for s in suppressions],
                [s.reason for s in suppressions],
                [s.source for s in suppressions],
                [s.message_id for s in suppressions],
            ],
        )


def suppress(
    *,
    channel: str,
    address: str,
    scope: str,
    reason: str,
    source: str,
    message_id: int | None = None,
    now: datetime,
) -> None:
    """Stop writing to an address. Commits, then drains: returns only when no request to it can start any more.

    `scope`: all (transactional mail too) · a channel (its marketing) · a topic; a hard bounce or complaint is always
    all. Idempotent. Takes at most the lease of a send (`SEND_LEASE_SECONDS`), usually a few milliseconds. Raises
    NotAllowed: this is what somebody decides; what a person says of themselves, or a provider, is `record`ed."""
    authority.require("delivery.add_suppression")
    with transactions.opening() as begin, transaction.atomic(durable=True):
        begin()
        address_id = _locked(channel, address, now=now)
        audit.note("address.suppressed", of=("address", address_id), after={"scope": scope, "reason": reason})
        record([NewSuppression(address_id, scope, reason, source, message_id)], now=now)
    drain([address_id])


def drain(address_ids: Collection[int]) -> None:
    """Wait until no request to these addresses can start any more. Call after the suppression was committed."""
    if chaos.mutant("check_then_send"):
        return  # a drill may build in the belief that a look at the suppressions before sending is enough
    give_up = time.monotonic() + settings.SEND_LEASE_SECONDS + 0.1
    while _may_start(address_ids) and time.monotonic() < give_up:
        time.sleep(STEP_SECONDS)


def _may_start(address_ids: Collection[int]) -> bool:
    with connection.cursor() as cursor:
        # now(), not a parameter: each look is a transaction of its own and must read the lease by the present clock
        cursor.execute(
            """
            SELECT EXISTS (SELECT 1 FROM outbox
                            WHERE address_id = ANY(%s) AND state = 'sending' AND lease_until > now())
                OR EXISTS (SELECT 1 FROM staff_notices
                            WHERE address_id = ANY(%s) AND state = 'sending' AND lease_until > now())
            """,
            [list(address_ids), list(address_ids)],
        )
        return cursor.fetchone()[0]


def release(
    *, channel: str, address: str, scope: str = "", reason: str = "", by: str, why: str = "", now: datetime
) -> int:
    """Write to the address again: stamps its standing suppressions (of one scope, or of all of them when it is empty;
    the same of the reason).

    `why`: kept with them. Rows are never deleted. Returns how many were released. Raises NotAllowed."""
    authority.require("delivery.change_suppression")
    with transaction.atomic():
        address_id = _locked(channel, address, now=now)
        with connection.cursor() as cursor:
            cursor.execute(
                """
                UPDATE suppressions SET released_at = %s, released_by = %s, released_why = %s
                 WHERE address_id = %s AND released_at IS NULL AND (%s = '' OR scope = %s)
                   AND (%s = '' OR reason = %s) RETURNING scope, reason
                """,
                [now, by, why, address_id, scope, scope, reason, reason],
            )
            released = [{"scope": stood, "reason": because} for stood, because in cursor.fetchall()]
        if released:
            audit.note(
                "address.released", of=("address", address_id), before={"standing": released}, after={"standing": []}
            )
    return len(released)


def release_at(address_ids: Collection[int], *, scopes: Collection[str], reason: str, by: str, now: datetime) -> int:
    """The same at these addresses, of these scopes and that reason, under the locks that the caller's transaction
    holds."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE suppressions SET released_at = %s, released_by = %s
             WHERE address_id = ANY(%s) AND released_at IS NULL AND scope = ANY(%s) AND reason = %s
            """,
            [now, by, list(address_ids), list(scopes), reason],
        )
        return cursor.rowcount


def take_back(said: Mapping[int, datetime], *, scope: str, reason: str, by: str, now: datetime) -> int:
    """Release what the people of these addresses took back at that instant, under the locks that the caller's
    transaction holds: what stood then, and what a webhook told of, whose words were put in order before. What they
    asked for since by another way stands."""
    if not said:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE suppressions s SET released_at = %s, released_by = %s
              FROM unnest(%s::bigint[], %s::timestamptz[]) AS r (address_id, said_at)
             WHERE s.address_id = r.address_id AND s.released_at IS NULL AND s.scope = %s AND s.reason = %s
               AND (s.created_at <= r.said_at OR s.source LIKE 'webhook:%%')
            """,
            [now, by, list(said), list(said.values()), scope, reason],
        )
        return cursor.rowcount


def _locked(channel: str, address: str, *, now: datetime) -> int:
    address_id = addresses.rows(channel=channel, given=[address], now=now)[address]
    addresses.lock([address_id])
    return address_id
