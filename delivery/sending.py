"""Sending: tokens, claim, render, hand over, write down. One batch per call.

    tokens      before anything is claimed, so nobody waits for the throttle while a lease runs
    t0          this process's monotonic clock, read before the claim's transaction begins
    T1          claim and gate (`gate.claim`), committed: from now on an unsubscribe waits for these
    hand over   a request may start only before t0 + 0.9 * SEND_LEASE_SECONDS
    T2          the outcomes (`outcomes.record`)

No transaction is open while a provider is waited for. Between the look at the clock and the first byte there must be no
pause longer than a tenth of the lease; no protocol without the provider's help can do better. A process that dies
between T1 and T2 leaves messages `sending`, which become in doubt and are never sent again blindly.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings

from contacts import chaos, clock, opt_in, outside, tracing, transactions
from delivery import due, gate, opt_in_mail, outcomes, providers, starts
from delivery.authoring import rendering, templates, utm
from delivery.authoring.rendering import UnableToRender
from delivery.authoring.templates import Wording
from delivery.farewells import Farewells
from delivery.gate import Claim
from delivery.outcomes import NO_JOURNAL, Answered
from delivery.providers import faults
from delivery.providers.base import NOT_STARTED, REJECTED, Answer, Letter, Writing
from delivery.public import links, unsubscribing
from delivery.rates import resting, routes, senders, throttle, tokens
from delivery.rates.routes import Way

log = logging.getLogger(__name__)

BATCH = 100  # so many requests at once, and so long a list for one look at the clock
START_SHARE = 0.9  # of the lease
LONGEST_WAIT = 0.25  # seconds for tokens, then the caller is asked whether there is still time
WORTH_WAITING = 1.0  # seconds for tokens or for a turn; what takes longer is left to the sweeper
TURN_STEP = 0.1  # seconds between two looks for a turn that is about to come


def deliver_batch(lane: str) -> bool:
    """Send what is due in the lane (urgent or bulk), at most one batch a channel. Returns whether there was anything to
    do. What to look at is asked once for all channels: where they go, and how much there is."""
    now = clock.now()
    ways = routes.ways(now=now)
    classes = {channel: way.classes for channel, way in ways.items() if way.classes}
    counts = due.waiting(lane, classes=classes, limit=BATCH, now=now)
    if not counts:
        return _has_a_turn_soon(lane, classes, now)
    return any([_deliver(lane, channel, ways[channel], count, now) for channel, count in counts.items()])


def _has_a_turn_soon(lane: str, classes: Mapping[str, Sequence[str]], now: datetime) -> bool:
    """Turns at recipients' domains come one by one: whoever works stays for the next."""
    if not settings.RECIPIENT_DOMAIN_RATES or outside.is_closed():
        return False
    soon = due.next_at(lane, classes=classes, now=now, until=now + timedelta(seconds=WORTH_WAITING))
    if soon is not None:
        time.sleep(min((soon - now).total_seconds(), TURN_STEP))
    return soon is not None


def _deliver(lane: str, channel: str, way: Way, wanted: int, now: datetime) -> bool:
    if way.health.is_trial:
        if not resting.try_again(way.provider, now=now):
            return False
        wanted = min(wanted, resting.TRIED)
    provider = providers.named(way.provider) if way.provider else None
    granted = tokens.take(provider, way, wanted, lane=lane)
    if not granted.limit:
        time.sleep(min(granted.wait, LONGEST_WAIT))
        return granted.wait <= WORTH_WAITING
    t0 = time.monotonic()
    batch = transactions.run(
        lambda now: gate.claim(
            lane,
            channel=channel,
            shares=granted.shares,
            warm_up=way.warming,
            limit=granted.limit,
            provider=way.provider,
            now=now,
        )
    )
    if provider:
        told = batch.claims if provider.marks_starts else ()
        starts.begin([claim.due.public_id for claim in told], claimed_at=batch.claimed_at)
    chaos.point("delivery.claimed")
    tokens.give_back(granted, [claim.due.message_class for claim in batch.claims])
    if provider and batch.claims:
        start_before = t0 + START_SHARE * settings.SEND_LEASE_SECONDS
        came_from = partial(tracing.of, "message", [claim.due.message_id for claim in batch.claims])
        with tracing.batch("delivery.send", links=came_from, size=len(batch.claims), lane=lane, channel=channel):
            is_able = _hand_over_and_record(provider, way, batch.claims, start_before)
        if not is_able:
            return False  # the sweeper rings again: this worker would only churn the queue
    return batch.taken > 0


def _hand_over_and_record(provider: providers.Provider, way: Way, claims: Sequence[Claim], start_before: float) -> bool:
    """What was answered is written down in groups as the answers come: whoever waits for one of these requests to end
    (`suppression.drain`) does not wait for the slowest. Returns whether this worker can start anything at all."""
    known: list[Answer] = []

    def record(answered: Sequence[Answered]) -> None:
        chaos.point("delivery.answered")
        transactions.run(lambda now: outcomes.record(provider.name, answered, now=now))
        known.extend(each.answer for each in answered)

    record(hand_over(provider, claims, start_before=start_before, tell=record))
    if (seconds := outcomes.held_for(known)) > 0:
        throttle.hold(provider.name, seconds)
    if (was_reached := resting.says(known, way.health)) is not None:
        asked = outcomes.longest_asked(known)
        transactions.run(lambda now: resting.note(provider.name, was_reached, way.health, now=now, at_least=asked))
    if any(answer.reason != NO_JOURNAL for answer in known):
        return True
    log.error("no start can be noted in SEND_JOURNAL_DIR: this worker sends nothing until that is mended")
    return False


def hand_over(
    provider: providers.Provider,
    claims: Sequence[Claim],
    *,
    start_before: float,
    tell: Callable[[Sequence[Answered]], None] | None = None,
) -> list[Answered]:
    """Render and hand over, each as soon as it is written. What is late, or cannot be rendered, is not handed over.

    `tell` hears of answers that come before the last one. Returns those that it did not hear of. Where it is given, who
    says "no more" meanwhile is not written to any more, and told about (`farewells`)."""
    farewells = Farewells(claims) if tell is not None else None
    begun: set[str] = set()
    wordings = templates.wordings_of([claim.due.template_version_id for claim in claims])
    denied = _untracked(claims)
    unwritten: dict[str, Answer] = {}

    def letters() -> Iterator[Letter]:
        for claim in claims:
            if time.monotonic() > start_before and not chaos.mutant("no_lease_check"):
                return
            awaited()
            if claim.due.public_id in unwritten or claim.due.public_id not in open_claims:
                continue
            begun.add(claim.due.public_id)
            try:
                may_be_tracked = claim.due.contact_id not in denied
                yield write(
                    claim,
                    wordings[claim.due.template_version_id],
                    may_be_tracked=may_be_tracked,
                    links_are_ours=may_be_tracked and not provider.does_track,
                )
            except UnableToRender as error:
                unwritten[claim.due.public_id] = Answer(REJECTED, "render_error", said=str(error))
            except Exception as error:  # a fault of ours in one letter must not leave all the others in doubt
                log.error("message %s could not be written: %s", claim.due.message_id, type(error).__name__)
                unwritten[claim.due.public_id] = Answer(REJECTED, "render_error", said=type(error).__name__)

    late = Answer(NOT_STARTED, "lease_over")

    def answered(claim: Claim, answer: Answer) -> Answered:
        wording = wordings[claim.due.template_version_id]
        return Answered(claim, answer, wording.language_of(claim.person.fields["locale"]))

    open_claims = {claim.due.public_id: claim for claim in claims}

    def awaited() -> set[str]:
        """Who has gone, and is not told about yet; of them, who was not begun with is not any more."""
        gone = {mid for mid in farewells.gone() if mid in open_claims} if farewells else set()
        unwritten.update(dict.fromkeys(gone - begun - unwritten.keys(), Answer(NOT_STARTED, "refused_meanwhile")))
        return gone

    def told(answers: Mapping[str, Answer]) -> None:
        known = {mid: answer for mid, answer in unwritten.items() if mid in open_claims} | dict(answers)
        if tell is not None and known:
            tell([answered(open_claims.pop(mid), answer) for mid, answer in known.items()])

    given = Writing(letters(), told, awaited) if tell is not None else letters()
    mids = tuple(open_claims)
    answers = faults.deliver(provider, given, mids=mids, start_before=start_before) | unwritten
    return [answered(claim, answers.get(mid, late)) for mid, claim in open_claims.items()]


def _untracked(claims: Sequence[Claim]) -> set[int]:
    """The contacts of mails who said that they are not to be tracked: neither by links of ours nor by a provider's."""
    mails = {claim.due.contact_id for claim in claims if claim.due.channel == "email"}
    return links.denied(sorted(mails)) if mails else set()


def write(claim: Claim, wording: Wording, *, may_be_tracked: bool = True, links_are_ours: bool = False) -> Letter:
    """The mail of a claimed message, in the contact's language; `links_are_ours` where the provider's own do not tell
    who follows them. Raises UnableToRender."""
    due, person = claim.due, claim.person
    url = unsubscribing.url_of(due.public_id)
    is_marketing = due.message_class == "marketing" and due.channel == "email"  # what carries an unsubscribe link
    context = _context(due.context)
    nonce = context.get(opt_in_mail.NONCE)
    data = rendering.merge_data(
        fields=person.fields,
        attributes=person.attributes,
        context=context,
        unsubscribe_url=url,
        preferences_url=unsubscribing.preferences_url_of(due.public_id),
        confirm_url=opt_in.url_of(nonce) if isinstance(nonce, str) else "",
    )
    data |= utm.values_of(
        context.get("about"), channel=due.channel, message_class=due.message_class, options=wording.options
    )
    words = wording.read_by(person.fields["locale"])
    rendered = rendering.render(words, data, is_marketing=is_marketing)
    if links_are_ours and due.channel == "email":
        rendered = links.tracked(rendered, mid=due.public_id, hosts=links.hosts(words.html))
    return Letter(
        mid=due.public_id,
        to_address=gate.address_of(person, due.channel),
        from_address=senders.address(due.message_class),
        from_name=rendering.one_line(settings.EMAIL_FROM_NAME),
        subject=rendered.subject,
        html=rendered.html,
        text=rendered.text,
        headers=unsubscribing.headers(url) if is_marketing else {},
        channel=due.channel,
        message_class=due.message_class,
        may_be_tracked=may_be_tracked,
    )


def _context(stored: str) -> Mapping[str, object]:
    value = json.loads(stored)
    return value if isinstance(value, dict) else {}
