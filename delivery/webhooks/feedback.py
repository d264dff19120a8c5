"""Folding what providers reported: into the message's feedback, the addresses not to write to, the contact's events.

The result is the same for every order and every repetition of the same reports: a report is one row, known by its
`dedup_hash`; what follows from it (a suppression, an event, the end of a doubt) follows from the row's being there and
never from when it came. A whole batch of bodies costs a constant number of statements.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from django.db import connection

from contacts import chaos, halving, tracing, transactions
from delivery import facts, in_doubt, signals, tallies
from delivery.facts import Fact
from delivery.providers import entries
from delivery.signals import FeedbackNote
from delivery.webhooks import bodies, consequences, machines, parking, vocabulary
from delivery.webhooks.base import Report, Vendor
from delivery.webhooks.bodies import Folded
from delivery.webhooks.consequences import About, AddressRows, Sourced

log = logging.getLogger(__name__)

PARKED_AT_ONCE = 2000

__all__ = ["About", "Sourced", "fold", "fold_batch", "resolve_parked"]


@dataclass(frozen=True)
class Delivery:
    """A stored body that was not folded yet."""

    id: int
    provider: str
    body: bytes
    received_at: datetime


def fold_batch(limit: int = 50) -> bool:
    """Fold the oldest stored bodies. Returns whether there were any. One transaction; other workers take others."""
    return transactions.run(lambda now: _fold_batch(limit, now))


def _fold_batch(limit: int, now: datetime) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT id, provider, body, received_at FROM webhook_inbox
             WHERE folded_at IS NULL ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED
            """,
            [limit],
        )
        deliveries = [Delivery(row[0], row[1], bytes(row[2]), row[3]) for row in cursor.fetchall()]
    if not deliveries:
        return False
    folded: dict[int, Folded] = {}
    found: list[Sourced] = []
    for delivery in deliveries:
        reading = _vendor(delivery.provider).read(delivery.body, delivery.received_at)
        source = f"webhook:{delivery.provider}"
        found += [Sourced(report, delivery.provider, source) for report in reading.reports]
        folded[delivery.id] = Folded(
            mids=[report.mid for report in reading.reports if report.mid],
            error="; ".join(reading.unread)[:1000],
            names_others=not all(report.mid for report in reading.reports),
        )
    refused: list[Sourced] = []
    halving.store(found, lambda some: fold(some, now=now), refused.append)
    if refused:
        log.error("%d reports of providers could not be stored", len(refused))
    bodies.mark_folded(folded, now=now)
    chaos.point("webhooks.folded")
    return True


def _vendor(name: str) -> Vendor:
    vendor = entries()[name].vendor
    assert vendor is not None, f"a body of {name} was stored, who does not report"
    return vendor


def fold(found: Sequence[Sourced], *, now: datetime) -> None:
    """Take reports in, inside the caller's transaction. Those that were known already change nothing."""
    unique = {each.report.dedup: each for each in found}
    messages = _lock_messages(
        {each.report.mid for each in unique.values() if each.report.mid}, bounced=_bounced_for_now(unique.values())
    )
    came_from = partial(tracing.of, "message", [about.message_id for about in messages.values()])
    with tracing.batch("webhooks.fold", links=came_from, size=len(unique)):
        _take_in(unique, messages, now)


def _take_in(unique: Mapping[bytes, Sourced], messages: Mapping[str, About], now: datetime) -> None:
    judged = _judged(list(unique.values()), messages)
    at_addresses = consequences.address_rows([each.report for each in judged], now=now)
    here = [each for each in judged if not each.report.mid or each.report.mid in messages]
    before = _known_before([about.message_id for about in messages.values()])
    new = _insert(here, messages, at_addresses, now=now)
    strays = parking.park([each for each in judged if each not in here], at_addresses, now=now)
    consequences.follow([*new, *strays], messages, at_addresses, now=now)
    in_doubt.resolve([about.message_id for about in messages.values()], now=now)
    _record_events(new, messages, now=now)
    _tell(new, messages, before, now=now)


def resolve_parked(limit: int = PARKED_AT_ONCE) -> bool:
    """Fold reports whose message has turned up after all, as a restore may bring it back. Looks at so many parked
    reports, further on each time. Returns whether any was folded."""
    return transactions.run(lambda now: _resolve_parked(limit, now))


def _resolve_parked(limit: int, now: datetime) -> bool:
    found = parking.taken(limit)
    if not found:
        return False
    # what followed for the address followed when it was parked, and may have been released since
    fold([Sourced(each.report, each.provider, f"webhook:{each.provider}") for each in found], now=now)
    return True


def _judged(found: Sequence[Sourced], messages: Mapping[str, About]) -> list[Sourced]:
    """With the verdict on clicks of which only we know how soon they came. When a message was claimed is known before
    anybody can follow its links, so the verdict does not depend on what else was reported."""
    mids = {each.report.mid for each in found if each.report.is_timed}
    timed = {about.message_id for mid, about in messages.items() if mid in mids}
    if not timed:
        return list(found)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT message_id, max(at) FROM contact_send_log"
            " WHERE message_id = ANY(%s) AND kind = 'claimed' GROUP BY 1",
            [sorted(timed)],
        )
        claimed_at = dict(cursor.fetchall())
    return [replace(each, report=_timed(each.report, messages, claimed_at)) for each in found]


def _timed(report: Report, messages: Mapping[str, About], claimed_at: Mapping[int, datetime]) -> Report:
    about = messages.get(report.mid or "")
    if about is None or not report.is_timed or report.is_machine or about.message_id not in claimed_at:
        return report
    by = machines.too_soon((report.occurred_at - claimed_at[about.message_id]).total_seconds())
    return replace(report, is_machine=True, detail={**report.detail, "machine": by.detail}) if by else report


def _bounced_for_now(found: Iterable[Sourced]) -> set[str]:
    return {each.report.mid for each in found if each.report.mid and each.report.kind == vocabulary.SOFT_BOUNCE}


# A person's messages, all of them, in the one order in which messages are locked.
_OF_WHOM_BOUNCED = """
    id IN (SELECT id FROM messages WHERE public_id = ANY(%(mids)s::uuid[])
           UNION
           SELECT m.id FROM messages b JOIN messages m ON m.contact_id = b.contact_id
            WHERE b.public_id = ANY(%(bounced)s::uuid[]))
"""


def _lock_messages(mids: set[str], *, bounced: set[str]) -> dict[str, About]:
    """Reports about one message are folded one after the other, so exactly one of them is the first of its kind.

    Of whom one bounced for now, all messages are held: that another of them was delivered is folded before or after,
    and whoever comes second sees the first. So a delivery, of which there are so many, has nothing to hold but its own
    message. (A message that was made since can only have been delivered after those bounces: it changes nothing.)"""
    which = _OF_WHOM_BOUNCED if bounced else "public_id = ANY(%(mids)s::uuid[])"
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT public_id::text, id, contact_id, workflow_id, version_id, step, template_version_id FROM messages
             WHERE {which} ORDER BY id FOR NO KEY UPDATE
            """,
            {"mids": sorted(mids), "bounced": sorted(bounced)},
        )
        return {row[0]: About(*row[1:]) for row in cursor.fetchall() if row[0] in mids}


def _known_before(message_ids: Sequence[int]) -> set[tuple[int, str, bool]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT message_id, kind, is_machine FROM message_feedback WHERE message_id = ANY(%s)",
            [list(message_ids)],
        )
        return set(cursor.fetchall())


def _insert(
    found: Sequence[Sourced], messages: Mapping[str, About], at_addresses: AddressRows, *, now: datetime
) -> list[Sourced]:
    """Returns those that are new. The address is kept as the id of its row: the words of the body stay in the inbox."""
    in_order = sorted(found, key=lambda each: each.report.dedup)
    reports = [each.report for each in in_order]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO message_feedback
                   (message_id, kind, occurred_at, recorded_at, is_machine, detail, provider, dedup_hash)
            SELECT r.message_id, r.kind, r.occurred_at, %s, r.is_machine, r.detail::jsonb, r.provider, r.dedup
              FROM unnest(%s::bigint[], %s::text[], %s::timestamptz[], %s::boolean[], %s::text[], %s::text[],
                          %s::bytea[])
                   WITH ORDINALITY AS r (message_id, kind, occurred_at, is_machine, detail, provider, dedup, position)
             ORDER BY r.position
                ON CONFLICT (dedup_hash) DO NOTHING
            RETURNING dedup_hash
            """,
            [
                now,
                [messages[r.mid].message_id if r.mid and r.mid in messages else None for r in reports],
                [r.kind for r in reports],
                [r.occurred_at for r in reports],
                [r.is_machine for r in reports],
                [json.dumps(consequences.kept(r, at_addresses)) for r in reports],
                [each.provider for each in in_order],
                [r.dedup for r in reports],
            ],
        )
        inserted = {bytes(row[0]) for row in cursor.fetchall()}
    return [each for each in in_order if each.report.dedup in inserted]


def _record_events(new: Sequence[Sourced], messages: Mapping[str, About], *, now: datetime) -> None:
    known = [each.report for each in new if each.report.mid in messages and each.report.kind in vocabulary.EVENT_TYPES]
    facts.record(
        [
            Fact(
                message_id=messages[report.mid or ""].message_id,
                type=vocabulary.EVENT_TYPES[report.kind],
                key=report.dedup.hex(),
                occurred_at=report.occurred_at,
                extra=_extra(report),
            )
            for report in known
        ],
        now=now,
    )


def _extra(report: Report) -> dict[str, object]:
    extra: dict[str, object] = {"is_machine": report.is_machine}
    if report.kind in (vocabulary.HARD_BOUNCE, vocabulary.SOFT_BOUNCE):
        extra["bounce"] = "hard" if report.kind == vocabulary.HARD_BOUNCE else "soft"
    return extra | {name: report.detail[name] for name in ("url", "reason") if name in report.detail}


def _tell(
    new: Sequence[Sourced], messages: Mapping[str, About], before: set[tuple[int, str, bool]], *, now: datetime
) -> None:
    seen = Counter({each: 1 for each in before})
    notes, heard = [], []
    for report, provider in ((each.report, each.provider) for each in new):
        if (about := messages.get(report.mid or "")) is None:
            continue
        name = (about.message_id, report.kind, report.is_machine)
        seen[name] += 1
        if seen[name] == 1:
            heard.append(tallies.Heard(about.message_id, report.kind, report.is_machine, provider))
        notes.append(
            FeedbackNote(
                about.message_id,
                about.contact_id,
                about.workflow_id,
                about.version_id,
                about.step,
                report.kind,
                report.is_machine,
                first=seen[name] == 1,
                template_version_id=about.template_version_id,
            )
        )
    tallies.count_feedback(heard, now=now)
    if notes:
        signals.feedback_recorded.send(sender=None, feedback=tuple(notes), now=now)
