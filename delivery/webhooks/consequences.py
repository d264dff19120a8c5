"""What follows for an address from what was reported of it.

A bounce for good and a complaint suppress at once, and so does what the provider drops for a list of its own; five soft
bounces within thirty days do, too, if nothing was delivered between them. All of it counts also where the report names
no message of ours (another installation's under the same account, or none at all): that an address does not exist, or
that its owner complained, is true for everybody who writes to it, and whoever said no is not asked which of us was
meant. Soft bounces count for our messages only.

It follows from what happened when, not from what arrived when: a delivery that is heard of late ends a suppression by
soft bounces that it forbids. Who folds soft bounces holds all messages of their contacts (`feedback`), so a delivery
that is folded at the same time comes before them or after, and is seen."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection

from contacts import chaos
from contacts.identifiers import is_email
from delivery import addresses, suppression
from delivery.suppression import NewSuppression
from delivery.webhooks import vocabulary
from delivery.webhooks.base import Report

SOFT_BOUNCES, SOFT_BOUNCE_WINDOW = 5, timedelta(days=30)
WORN_OUT = ("email", "soft_bounce")
BY_DELIVERY, BY_KEYWORD = "a delivery", "their own word"  # who released

AddressRows = Mapping[tuple[str, str], int]  # (channel, address) -> the id of its row


@dataclass(frozen=True)
class Sourced:
    """A report, whose it is, and the way by which it came (the `source` of a suppression)."""

    report: Report
    provider: str
    source: str


@dataclass(frozen=True)
class About:
    """The message that a report is about."""

    message_id: int
    contact_id: int
    workflow_id: int | None
    version_id: int | None
    step: str
    template_version_id: int | None


def address_rows(reports: Iterable[Report], *, now: datetime) -> dict[tuple[str, str], int]:
    """The rows of the addresses for which something may follow. Two statements for each channel."""
    told: dict[str, set[str]] = {}
    for report in reports:
        if _concerns_address(report):
            told.setdefault(report.channel, set()).add(report.address)
    return {
        (channel, address): row
        for channel in sorted(told)
        for address, row in addresses.rows(channel=channel, given=told[channel], now=now).items()
    }


def _concerns_address(report: Report) -> bool:
    if report.consequence is None and report.kind != vocabulary.SOFT_BOUNCE and not report.is_last_word:
        return False
    return is_email(report.address) if report.channel == "email" else 0 < len(report.address) <= 64


def kept(report: Report, rows: AddressRows) -> dict[str, Any]:
    """The detail that is stored: the address as the id of its row, for its words stay in the inbox. Only where
    something may follow for it, whatever else was folded with it."""
    address_id = report.detail.get("address_id")
    if _concerns_address(report):
        address_id = rows.get((report.channel, report.address), address_id)
    return {**report.detail, "address_id": address_id} | ({"is_last_word": True} if report.is_last_word else {})


def follow(new: Sequence[Sourced], messages: Mapping[str, About], rows: AddressRows, *, now: datetime) -> None:
    """Of reports that were not known before, once their feedback is written. Locks all the addresses at once, and reads
    what decides afterwards."""
    wanted, said = [], set()
    for each in new:
        report = each.report
        address_id = rows.get((report.channel, report.address))
        if address_id is None:
            continue
        if report.is_last_word:
            said.add(address_id)
        elif report.consequence:
            about = messages.get(report.mid or "")
            message_id = about.message_id if about else None
            wanted.append(NewSuppression(address_id, *report.consequence, each.source, message_id))
    shaken = _shaken(new, messages, rows)
    addresses.lock({each.address_id for each in wanted} | said | set(shaken))
    suppression.record(wanted, now=now)
    _wear_out(shaken, now=now)
    _hear(said, now=now)


def _shaken(new: Sequence[Sourced], messages: Mapping[str, About], rows: AddressRows) -> dict[int, str]:
    """Addresses whose soft bounces have to be counted again, and the source of what may follow: those of a new one,
    and those that got a message after all."""
    found: dict[int, str] = {}
    delivered: dict[int, str] = {}
    for each in new:
        about = messages.get(each.report.mid or "")
        if about is None:
            continue
        if each.report.kind == vocabulary.SOFT_BOUNCE:
            address_id = rows.get((each.report.channel, each.report.address), each.report.detail.get("address_id"))
            if isinstance(address_id, int):
                found[address_id] = each.source
        if each.report.kind == vocabulary.DELIVERED:
            delivered[about.message_id] = each.source
    if delivered:
        with connection.cursor() as cursor:
            cursor.execute(
                """
                SELECT l.address_id, min(n.source)
                  FROM unnest(%s::bigint[], %s::text[]) AS n (message_id, source)
                 CROSS JOIN LATERAL (
                       SELECT address_id FROM contact_send_log
                        WHERE message_id = n.message_id AND address_id IS NOT NULL ORDER BY id DESC LIMIT 1) l
                 WHERE EXISTS (SELECT 1 FROM message_feedback f
                                WHERE f.kind = 'soft_bounce' AND f.detail->>'address_id' = l.address_id::text)
                 GROUP BY 1
                """,
                [list(delivered), list(delivered.values())],
            )
            found |= dict(cursor.fetchall())
    return found


def _wear_out(shaken: Mapping[int, str], *, now: datetime) -> None:
    """Suppress what is worn out, release what is not any longer."""
    told = _bounces_and_deliveries(list(shaken)) if shaken else {}
    if not told:
        return
    window = SOFT_BOUNCE_WINDOW / settings.TIME_SPEED
    since = _released_by_hand(list(told))
    worn_out = {
        address_id
        for address_id, (bounced, delivered) in told.items()
        if is_worn_out([at for at in bounced if address_id not in since or at > since[address_id]], delivered, window)
    }
    suppression.record([NewSuppression(each, *WORN_OUT, shaken[each]) for each in sorted(worn_out)], now=now)
    scope, reason = WORN_OUT
    suppression.release_at(set(told) - worn_out, scopes=[scope], reason=reason, by=BY_DELIVERY, now=now)


def is_worn_out(bounced: Sequence[datetime], delivered: Sequence[datetime], window: timedelta) -> bool:
    """Whether there ever were so many bounces within the window with no delivery at or after the first of them and
    before the last. Pure: in any order."""
    runs: list[datetime] = []
    for at, was_delivered in sorted([(at, True) for at in delivered] + [(at, False) for at in bounced]):
        if was_delivered:
            runs.clear()
            continue
        runs.append(at)
        if len(runs) >= SOFT_BOUNCES and at - runs[-SOFT_BOUNCES] < window:
            return True
    return False


def _bounces_and_deliveries(address_ids: Sequence[int]) -> dict[int, tuple[list[datetime], list[datetime]]]:
    """When messages to these addresses bounced for now, and when they were delivered; of those only that have bounced
    often enough to matter. Two statements."""
    named = [str(each) for each in address_ids]
    told: dict[int, tuple[list[datetime], list[datetime]]] = {}
    at = "recorded_at" if chaos.mutant("webhooks.last_write_wins") else "occurred_at"
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT (detail->>'address_id')::bigint, array_agg({at}) FROM message_feedback
             WHERE kind = 'soft_bounce' AND message_id IS NOT NULL AND detail->>'address_id' = ANY(%s)
             GROUP BY 1 HAVING count(*) >= %s
            """,
            [named, SOFT_BOUNCES],
        )
        told = {address_id: (bounced, []) for address_id, bounced in cursor.fetchall()}
        if not told:
            return told
        cursor.execute(
            f"""
            WITH people AS (
                SELECT DISTINCT f.detail->>'address_id' AS address_id, m.contact_id
                  FROM message_feedback f JOIN messages m ON m.id = f.message_id
                 WHERE f.kind = 'soft_bounce' AND f.detail->>'address_id' = ANY(%s))
            SELECT l.address_id, array_agg(f.{at})
              FROM people p JOIN messages m ON m.contact_id = p.contact_id
              JOIN message_feedback f ON f.message_id = m.id AND f.kind = 'delivered'
             CROSS JOIN LATERAL (
                   SELECT address_id FROM contact_send_log
                    WHERE message_id = m.id AND address_id IS NOT NULL ORDER BY id DESC LIMIT 1) l
             WHERE l.address_id::text = p.address_id
             GROUP BY 1
            """,
            [[str(each) for each in told]],
        )
        for address_id, delivered in cursor.fetchall():
            told[address_id][1].extend(delivered)
    return told


def _released_by_hand(address_ids: Sequence[int]) -> dict[int, datetime]:
    """When somebody last said that these may be written to again: what bounced before counts no longer."""
    scope, reason = WORN_OUT
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT address_id, max(released_at) FROM suppressions
             WHERE address_id = ANY(%s) AND scope = %s AND reason = %s AND released_at IS NOT NULL AND released_by <> %s
             GROUP BY 1
            """,
            [list(address_ids), scope, reason, BY_DELIVERY],
        )
        return dict(cursor.fetchall())


def _hear(address_ids: Collection[int], *, now: datetime) -> None:
    """Of all that the owners of these numbers said, the last holds: STOP or START."""
    if not address_ids:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT DISTINCT ON (detail->>'address_id') (detail->>'address_id')::bigint, kind, provider,
                   occurred_at
              FROM message_feedback
             WHERE kind IN ('unsubscribed', 'resubscribed') AND detail->>'address_id' = ANY(%s)
               AND detail->>'is_last_word' = 'true'
             ORDER BY detail->>'address_id', occurred_at DESC, kind DESC, id DESC
            """,
            [[str(each) for each in sorted(address_ids)]],
        )
        words = cursor.fetchall()
    stops = [
        NewSuppression(row, "sms", "unsubscribe", f"webhook:{by}")
        for row, kind, by, _ in words
        if kind == vocabulary.UNSUBSCRIBED
    ]
    suppression.record(stops, now=now)
    starts = {address_id: at for address_id, kind, _, at in words if kind == vocabulary.RESUBSCRIBED}
    suppression.take_back(starts, scope="sms", reason="unsubscribe", by=BY_KEYWORD, now=now)
