"""Writing down what a provider answered. One transaction, called T2.

It locks the open rows first, and an answer counts only for the attempt that it answers: whoever was declared lost and
comes back late finds either its own attempt still open (then its answer ends the doubt) or nothing to do.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings

from contacts import chaos
from delivery import addresses, facts, ledger, suppression
from delivery.gate import Claim
from delivery.ledger import Entry
from delivery.providers import base, faults
from delivery.providers.base import Answer
from delivery.rates import resting, stopping, warming
from delivery.suppression import NewSuppression

LONGEST_PAUSE = timedelta(hours=1)  # of our own
LONGEST_ASKED = timedelta(hours=24)  # that a provider may ask for
HELD_SHARE = 0.5  # of a batch: where more of it was too much for the provider, the others wait, too
PUT_BACK_FOR = timedelta(days=1)  # without an attempt being counted; from then on each one is
LONGEST_PUT_BACK = timedelta(minutes=10)

NO_CONNECTION, NO_JOURNAL = "no_connection", "no_journal"  # reasons, in the words of all providers
OF_ALL_OF_US = resting.TOO_MUCH | {NO_JOURNAL, faults.FAULT}  # reasons that say nothing of the message


@dataclass(frozen=True)
class Answered:
    """A claim and what came of it. `language`: which of the template's it was written in; empty: its own."""

    claim: Claim
    answer: Answer
    language: str = ""


def record(provider: str, answered: Sequence[Answered], *, now: datetime) -> None:
    """T2. A constant number of statements."""
    _suppress(provider, answered, now=now)  # addresses are locked before open rows, as by whoever folds
    still_open = ledger.lock_open([each.claim.due.message_id for each in answered])
    final: list[Entry] = []
    doubts: list[Entry] = []
    again: list[tuple[Entry, datetime, int]] = []  # with when, and how many attempts are then used
    back = _put_back(answered)
    for each in answered:
        claim, answer = each.claim, each.answer
        row = still_open.get(claim.due.message_id)
        if row is None or row.state == "queued" or row.attempt != claim.attempt:
            continue
        if answer.kind in (base.ACCEPTED, base.REJECTED):
            final.append(_entry(provider, each, answer.kind))
        elif answer.kind == base.IN_DOUBT and not chaos.mutant("blind_resend"):
            doubts.append(_entry(provider, each, "in_doubt"))
        elif (turn := _next(claim, answer, back.get(claim.due.message_id), now=now)) is None:
            final.append(_entry(provider, each, "rejected", reason="retries_exhausted"))
        else:
            kind = "not_started" if answer.kind in (base.NOT_STARTED, base.STOP) else "retry"
            again.append((_entry(provider, each, kind), *turn))
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
    _give_places_back([*final, *(entry for entry, _, _ in again)], answered)  # locked last, as by the gate
    stops = [each.answer for each in answered if each.answer.kind == base.STOP]
    if stops:
        stopping.stop(provider, f"{stops[0].code} {stops[0].reason}: {stops[0].said}"[: ledger.WORDS_KEPT], now=now)


def _put_back(answered: Sequence[Answered]) -> dict[int, ledger.Back]:
    ids = [each.claim.due.message_id for each in answered if each.answer.reason in OF_ALL_OF_US]
    return ledger.put_back(ids, reasons=OF_ALL_OF_US) if ids else {}


def _next(claim: Claim, answer: Answer, back: ledger.Back | None, *, now: datetime) -> tuple[datetime, int] | None:
    """When a message that was not taken is tried again, and how many of its attempts are then used; None: it has none
    left. What is not its own fault (`back`: how often that was) costs it nothing for a day, and waits longer each
    time."""
    is_not_its_own = answer.reason in OF_ALL_OF_US
    if answer.kind == base.STOP or (answer.kind == base.NOT_STARTED and not is_not_its_own):
        return now, claim.attempt - 1
    if answer.reason == NO_CONNECTION:
        return now + pause(claim.attempt, answer.retry_after), claim.attempt - 1
    if is_not_its_own and (back is None or now - back.since < PUT_BACK_FOR):
        times = back.times if back else 0
        return now + pause(times + 1, answer.retry_after, longest=LONGEST_PUT_BACK), claim.attempt - 1
    if claim.attempt >= settings.ESP_MAX_ATTEMPTS:
        return None
    return now + pause(claim.attempt, answer.retry_after), claim.attempt


def _suppress(provider: str, answered: Sequence[Answered], *, now: datetime) -> None:
    """The addresses of which the provider said that they must not be written to."""
    found = [
        NewSuppression(
            each.claim.address_id, *each.answer.consequence, f"provider:{provider}", each.claim.due.message_id
        )
        for each in answered
        if each.answer.consequence
    ]
    if found:
        addresses.lock({each.address_id for each in found})
        suppression.record(found, now=now)


def _give_places_back(entries: Sequence[Entry], answered: Sequence[Answered]) -> None:
    """What was not taken does not count for the warm-up of its domain."""
    not_taken = {entry.message_id for entry in entries if entry.kind != base.ACCEPTED}
    places = Counter(
        (each.claim.place.domain, each.claim.place.day)
        for each in answered
        if each.claim.place and each.claim.due.message_id in not_taken
    )
    for (domain, day), count in sorted(places.items()):
        warming.give_back(domain, day, count)


def pause(attempt: int, retry_after: float | None, *, longest: timedelta = LONGEST_PAUSE) -> timedelta:
    """How long to wait after this many attempts: doubled each time and spread by half, `longest` at most; never less
    than the provider asked for, if that is within a day."""
    seconds = min(settings.ESP_BACKOFF_MS / 1000 * 2 ** min(attempt - 1, 30), longest.total_seconds())
    spread = seconds * random.uniform(0.5, 1.5)  # noqa: S311  (jitter, not a secret)
    return timedelta(seconds=max(min(spread, longest.total_seconds()), _asked_for(retry_after)))


def _asked_for(retry_after: float | None) -> float:
    """Seconds, whatever a header said."""
    if retry_after is None or not retry_after > 0:  # NaN neither
        return 0.0
    return min(retry_after, LONGEST_ASKED.total_seconds())


def held_for(answers: Sequence[Answer]) -> float:
    """For how many seconds nothing should be sent to a provider that answered so; 0: go on.

    A single message too many is sent again by itself. Where most of a batch was, the rest of the queue would only use
    up its attempts."""
    limited = [answer for answer in answers if answer.reason in resting.TOO_MUCH]
    if len(limited) <= HELD_SHARE * len(answers):
        return 0.0
    return max(settings.ESP_BACKOFF_MS / 1000, longest_asked(limited))


def longest_asked(answers: Sequence[Answer]) -> float:
    """The seconds that the provider asked for, of those for which it had too much; 0: it asked for none."""
    limited = [answer for answer in answers if answer.reason in resting.TOO_MUCH]
    return max((_asked_for(answer.retry_after) for answer in limited), default=0.0)


def _entry(provider: str, answered: Answered, kind: str, *, reason: str = "") -> Entry:
    claim, answer = answered.claim, answered.answer
    return Entry(
        message_id=claim.due.message_id,
        kind=kind,
        attempt=claim.attempt,
        reason=reason or answer.reason,
        address_id=claim.address_id,
        provider=provider,
        provider_code=answer.code,
        provider_said=answer.said,
        evidence={"language": answered.language} if answered.language else {},
    )
