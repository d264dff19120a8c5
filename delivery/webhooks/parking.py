"""Reports that name a message which is not here.

Mostly they are of another installation under the same account of a provider. But a restore may have taken messages back
that were sent since, and brings them again when the rest of it is there: so what was reported of them waits, with their
ids, as long as bodies are kept. What follows for an address follows at once (`consequences`)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import connection

from contacts import durations, place
from delivery.webhooks import consequences
from delivery.webhooks.base import Report
from delivery.webhooks.consequences import AddressRows, Sourced

BATCH = 1000
_WALK = "parked reports"


@dataclass(frozen=True)
class Parked:
    """A report that was parked, and whose it is."""

    report: Report
    provider: str


@dataclass(frozen=True)
class Waiting:
    """How many reports wait for their message, and since when the first one does."""

    count: int
    oldest_at: datetime | None


def park(found: Sequence[Sourced], rows: AddressRows, *, now: datetime) -> list[Sourced]:
    """Keep these, inside the caller's transaction. Returns those that were not parked before. At most one statement."""
    if not found:
        return []
    in_order = sorted(found, key=lambda each: each.report.dedup)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO parked_reports (mid, report, provider, dedup_hash, parked_at)
            SELECT r.mid, r.report::jsonb, r.provider, r.dedup, %s
              FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::bytea[]) AS r (mid, report, provider, dedup)
                ON CONFLICT (dedup_hash) DO NOTHING
            RETURNING dedup_hash
            """,
            [
                now,
                [each.report.mid for each in in_order],
                [_written(each.report, rows) for each in in_order],
                [each.provider for each in in_order],
                [each.report.dedup for each in in_order],
            ],
        )
        parked = {bytes(row[0]) for row in cursor.fetchall()}
    return [each for each in in_order if each.report.dedup in parked]


def _written(report: Report, rows: AddressRows) -> str:
    return json.dumps(
        {
            "kind": report.kind,
            "occurred_at": report.occurred_at.isoformat(),
            "is_machine": report.is_machine,
            "is_timed": report.is_timed,
            "channel": report.channel,
            "detail": consequences.kept(report, rows),
        }
    )


def taken(limit: int) -> list[Parked]:
    """Take those out whose message is here, of the next so many: inside the transaction that folds them."""
    since = place.reached(_WALK)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT max(id), count(*) FROM (SELECT id FROM parked_reports WHERE id > %s ORDER BY id LIMIT %s) AS ahead",
            [since, limit],
        )
        last, count = cursor.fetchone()
        cursor.execute(
            """
            DELETE FROM parked_reports WHERE id IN (
                SELECT p.id FROM parked_reports p
                 WHERE p.id > %s AND p.id <= %s AND EXISTS (SELECT 1 FROM messages m WHERE m.public_id = p.mid)
                 ORDER BY p.id FOR UPDATE SKIP LOCKED)
            RETURNING mid::text, report::text, provider, dedup_hash
            """,
            [since, last or since],
        )
        found = cursor.fetchall()
    place.note(_WALK, last if count == limit else 0)
    return [_read(*row) for row in found]


def _read(mid: str, written: str, provider: str, dedup: bytes) -> Parked:
    told = json.loads(written)
    report = Report(
        mid=mid,
        kind=told["kind"],
        occurred_at=datetime.fromisoformat(told["occurred_at"]),
        address="",
        is_machine=told["is_machine"],
        detail=told["detail"],
        dedup=bytes(dedup),
        channel=told["channel"],
        is_timed=told["is_timed"],
    )
    return Parked(report, provider)


def waiting() -> Waiting:
    """How many there are now. One statement over all of them."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*), min(parked_at) FROM parked_reports")
        return Waiting(*cursor.fetchone())


def prune_batch(now: datetime) -> bool:
    """Let go of those whose message did not turn up. Returns whether there may be more."""
    if not settings.WEBHOOK_RETENTION:
        return False
    with connection.cursor() as cursor:
        cursor.execute(
            """
            DELETE FROM parked_reports WHERE id IN (
                SELECT id FROM parked_reports WHERE parked_at < %s ORDER BY parked_at LIMIT %s FOR UPDATE SKIP LOCKED)
            """,
            [now - durations.window(settings.WEBHOOK_RETENTION, speed=1.0), BATCH],
        )
        return cursor.rowcount == BATCH
