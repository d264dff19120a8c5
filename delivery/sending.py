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
import time
from collections.abc import Iterator, Mapping, Sequence

from django.conf import settings

from contacts import chaos, clock, opt_in, transactions
from delivery import gate, opt_in_mail, outcomes, providers
from delivery.authoring import rendering, templates
from delivery.authoring.rendering import UnableToRender, Words
from delivery.gate import Claim
from delivery.outcomes import Answered
from delivery.providers.base import NOT_STARTED, REJECTED, Answer, Letter
from delivery.public import unsubscribing
from delivery.rates import routes, throttle

BATCH = 100  # so many requests at once, and so long a list for one look at the clock
START_SHARE = 0.9  # of the lease
LONGEST_WAIT = 0.25  # seconds for tokens, then the caller is asked whether there is still time


def deliver_batch(lane: str) -> bool:
    """Send what is due in the lane (urgent or bulk), at most one batch a channel. Returns whether there was anything to
    do."""
    return any([_deliver(lane, channel) for channel in providers.CHANNELS])


def _deliver(lane: str, channel: str) -> bool:
    way = routes.way(channel, now=clock.now())
    if not way.classes:
        return False
    wanted = gate.waiting(lane, channel=channel, classes=way.classes, limit=BATCH, now=clock.now())
    if not wanted:
        return False
    provider = providers.named(way.provider) if way.provider else None
    if provider and provider.is_throttled:
        grant = throttle.take(provider.name, wanted, lane=lane)
        if not grant.count:
            time.sleep(min(grant.wait, LONGEST_WAIT))
            return True
        wanted = grant.count
    t0 = time.monotonic()
    batch = transactions.run(
        lambda now: gate.claim(lane, channel=channel, classes=way.classes, limit=wanted, provider=way.provider, now=now)
    )
    chaos.point("delivery.claimed")
    if provider and provider.is_throttled:
        throttle.give_back(provider.name, wanted - len(batch.claims))
    if provider and batch.claims:
        answered = _hand_over(provider, batch.claims, start_before=t0 + START_SHARE * settings.SEND_LEASE_SECONDS)
        chaos.point("delivery.answered")
        transactions.run(lambda now: outcomes.record(provider.name, answered, now=now))
    return batch.taken > 0


def _hand_over(provider: providers.Provider, claims: Sequence[Claim], *, start_before: float) -> list[Answered]:
    """Render and hand over, each as soon as it is written. What is late, or cannot be rendered, is not handed over."""
    words = templates.words_of([claim.due.template_version_id for claim in claims])
    unwritten: dict[str, Answer] = {}

    def letters() -> Iterator[Letter]:
        for claim in claims:
            if time.monotonic() > start_before and not chaos.mutant("no_lease_check"):
                return
            try:
                yield write(claim, words[claim.due.template_version_id])
            except UnableToRender as error:
                unwritten[claim.due.public_id] = Answer(REJECTED, "render_error", said=str(error))

    answers = provider.deliver(letters(), start_before=start_before) | unwritten
    late = Answer(NOT_STARTED, "lease_over")
    return [Answered(claim, answers.get(claim.due.public_id, late)) for claim in claims]


def write(claim: Claim, words: Words) -> Letter:
    """The mail of a claimed message. Raises UnableToRender."""
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
        confirm_url=opt_in.url_of(nonce) if isinstance(nonce, str) else "",
    )
    rendered = rendering.render(words, data, is_marketing=is_marketing)
    return Letter(
        mid=due.public_id,
        to_address=gate.address_of(person, due.channel),
        from_address=settings.EMAIL_FROM,
        from_name=rendering.one_line(settings.EMAIL_FROM_NAME),
        subject=rendered.subject,
        html=rendered.html,
        text=rendered.text,
        headers=unsubscribing.headers(url) if is_marketing else {},
        channel=due.channel,
    )


def _context(stored: str) -> Mapping[str, object]:
    value = json.loads(stored)
    return value if isinstance(value, dict) else {}
