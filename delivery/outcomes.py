"""Writing down what a provider answered. One transaction, called T2.

It locks the open rows first, and an answer counts only for the attempt that it answers: whoever was declared lost and
comes back late finds either its own attempt still open (then its answer ends the doubt) or nothing to do.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings

from delivery import facts, ledger
from delivery.gate import Claim
from delivery.ledger import Entry
from delivery.providers import base
from delivery.providers.base import Answer
from delivery.rates import stopping

LONGEST_PAUSE = timedelta(hours=1)


@dataclass(frozen=True)
class Answered:
    """A claim and what came of it."""

    claim: Claim
    answer: Answer


def record(provider: str, answered: Sequence[Answered], *, now: datetime) -> None:
    """T2. A constant number of statements."""
    still_open = ledger.lock_open([each.claim.due.message_id for each in answered])
    final: list[Entry] = []
    doubts: list[Entry] = []
    again: list[tuple[Entry, datetime, int]] = []  # with when, and how many attempts are then used
    for each in answered:
        claim, answer = each.claim, each.answer
        row = still_open.get(claim.due.message_id)
        if row is None or row.state == "queued" or row.attempt != claim.attempt:
            continue
        if answer.kind in (base.ACCEPTED, base.REJECTED):
            final.append(_entry(provider, claim, answer, answer.kind))
        elif answer.kind == base.IN_DOUBT:
            doubts.append(_entry(provider, claim, answer, "in_doubt"))
        elif answer.kind in (base.NOT_STARTED, base.STOP):
            again.append((_entry(provider, claim, answer, "not_started"), now, claim.attempt - 1))
        elif claim.attempt >= settings.ESP_MAX_ATTEMPTS:
            final.append(_entry(provider, claim, answer, "rejected", reason="retries_exhausted"))
        else:
            later = now + pause(claim.attempt, answer.retry_after)
            again.append((_entry(provider, claim, answer, "retry"), later, claim.attempt))
    ledger.close(final, now=now)
    ledger.doubt(doubts, now=now)
    ledger.requeue(
        [entry for entry, _, _ in again],
        due_at=[due_at for _, due_at, _ in again],
        attempts=[attempts for _, _, attempts in again],
        now=now,
    )
    facts.record(
        [facts.once(entry.message_id, facts.SENT, now) for entry in final if entry.kind == "accepted"], now=now
    )
    stops = [each.answer for each in answered if each.answer.kind == base.STOP]
    if stops:
        stopping.stop(provider, f"{stops[0].code} {stops[0].reason}: {stops[0].said}"[: ledger.WORDS_KEPT], now=now)


def pause(attempt: int, retry_after: float | None) -> timedelta:
    """How long to wait after this many attempts: doubled each time and spread by half, never less than the provider
    asked for, never more than an hour."""
    seconds = settings.ESP_BACKOFF_MS / 1000 * 2 ** (attempt - 1)
    spread = seconds * random.uniform(0.5, 1.5)  # noqa: S311  (jitter, not a secret)
    return min(timedelta(seconds=max(spread, retry_after or 0.0)), LONGEST_PAUSE)


def _entry(provider: str, claim: Claim, answer: Answer, kind: str, *, reason: str = "") -> Entry:
    return Entry(
        message_id=claim.due.message_id,
        kind=kind,
        attempt=claim.attempt,
        reason=reason or answer.reason,
        address_id=claim.address_id,
        provider=provider,
        provider_code=answer.code,
        provider_said=answer.said,
    )
