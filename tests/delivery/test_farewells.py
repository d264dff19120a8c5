"""Who says "no more" while a batch is being sent does not wait for the slowest of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from concurrent.futures import Future

import pytest
from django.db import transaction

from contacts import clock, consent
from contacts.consent import Consent
from delivery import addresses, farewells, gate, outcomes, sending, suppression
from delivery.models import OutboxEntry, SendLogEntry, Suppression
from delivery.providers import exchange
from delivery.providers.base import ACCEPTED, NOT_STARTED, Answer, Letter, Provider, Writing
from delivery.suppression import NewSuppression
from tests.delivery import making
from tests.delivery.test_gate_races import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _looks_each_time(monkeypatch):
    monkeypatch.setattr(farewells, "LOOK_EVERY", 0.0)


class Slowly(Provider):
    """Takes everything; `between` hears how many letters it has, before it asks for the next one."""

    name = "sandbox"

    def __init__(self, between) -> None:
        self.between, self.taken = between, []

    def deliver(self, letters: Iterable[Letter], *, start_before: float) -> dict[str, Answer]:
        self.between(0)
        for letter in letters:
            self.taken.append(letter.to_address)
            self.between(len(self.taken))
        return {}  # the answers stay away


def claimed(count: int = 3, **changes) -> tuple[gate.Claim, ...]:
    version = making.template()
    making.enqueue(*[making.request(who, version, **changes) for who in making.contacts(count)])
    with transaction.atomic():
        found = gate.claim("urgent", limit=100, provider="sandbox", now=clock.now())
    assert len(found.claims) == count
    return found.claims


def unsubscribe(claim: gate.Claim) -> None:
    with transaction.atomic():
        suppression.record([NewSuppression(claim.address_id, "email", "unsubscribe", "page")], now=clock.now())


def withdraw(claim: gate.Claim) -> None:
    with transaction.atomic():
        consent.record([Consent(claim.due.contact_id, "marketing", "denied")], source="api", now=clock.now())


def hand_over(provider: Provider, claims, tell=lambda answered: None):
    return sending.hand_over(provider, claims, start_before=time.monotonic() + 60, tell=tell)


@pytest.mark.parametrize("leave", [unsubscribe, withdraw])
def test_who_leaves_before_their_letter_is_begun_is_not_written_to_and_the_gate_says_why(leave):
    claims = claimed()
    provider = Slowly(lambda count: leave(claims[1]) if count == 1 else None)
    answered = {each.claim.due.public_id: each for each in hand_over(provider, claims)}
    assert provider.taken == [claims[0].person.email, claims[2].person.email]
    away = answered[claims[1].due.public_id]
    assert (away.answer.kind, away.answer.reason) == (NOT_STARTED, "refused_meanwhile")
    transacted = [each for each in answered.values() if each is away]
    with transaction.atomic():
        outcomes.record("sandbox", transacted, now=clock.now())
    making.deliver()
    kinds = list(
        SendLogEntry.objects.filter(message=claims[1].due.message_id).order_by("id").values_list("kind", "reason")
    )
    reason = "unsubscribe" if leave is unsubscribe else "consent"
    assert kinds[-2:] == [("not_started", "refused_meanwhile"), ("suppressed", reason)]


def test_what_they_may_have_all_the_same_goes_out():
    claims = claimed(message_class="transactional")
    provider = Slowly(lambda count: unsubscribe(claims[1]) if count == 1 else None)
    hand_over(provider, claims)
    assert provider.taken == [claim.person.email for claim in claims]


def test_nobody_is_asked_about_where_nobody_says_anything(monkeypatch):
    claims, asked = claimed(), []
    refused = gate.refused
    monkeypatch.setattr(gate, "refused", lambda *args, **given: asked.append(1) or refused(*args, **given))
    hand_over(Slowly(lambda count: None), claims)
    assert len(asked) == 1
    hand_over(Slowly(lambda count: unsubscribe(claims[2]) if count == 1 else None), claims)
    assert len(asked) == 3


def test_a_look_is_made_when_it_is_time(monkeypatch):
    monkeypatch.setattr(farewells, "LOOK_EVERY", 3600.0)
    claims = claimed()
    provider = Slowly(lambda count: unsubscribe(claims[1]) if count == 1 else None)
    hand_over(provider, claims)
    assert len(provider.taken) == 3, "a look that is not due is not made: else each letter would cost one"


def test_an_answer_that_is_awaited_is_told_when_it_comes_and_alone(monkeypatch):
    """Not at the next look, and without those for whom nobody waits: they would make it longer."""
    monkeypatch.setattr(exchange, "STEP", 3600.0)
    monkeypatch.setattr(exchange, "FIRST_LOOK", 3600.0)
    waiting: dict[str, Future] = {mid: Future() for mid in ("answered", "awaited", "late")}
    waiting["answered"].set_result(Answer(ACCEPTED, code=1))
    told: list[dict[str, Answer]] = []

    def tell(answers):
        told.append(dict(answers))
        waiting["late"].set_result(Answer(ACCEPTED, code=3))

    given = Writing(iter(()), tell, lambda: {"awaited"} - {mid for each in told for mid in each})
    answer = threading.Timer(0.05, waiting["awaited"].set_result, [Answer(ACCEPTED, code=2)])
    answer.start()
    rest = exchange._as_they_come(waiting, given)
    assert told == [{"awaited": Answer(ACCEPTED, code=2)}]
    assert rest == {"answered": Answer(ACCEPTED, code=1), "late": Answer(ACCEPTED, code=3)}


def test_an_unsubscribe_in_a_batch_is_acknowledged_while_the_others_are_still_waited_for(beside, settings):
    """With a lease of a minute: were it waited for, this would take that long."""
    settings.SEND_LEASE_SECONDS = 60
    claims = claimed()
    left: list[Future] = []

    def between(count: int) -> None:
        if count == 1:
            left.append(
                beside(
                    suppression.suppress,
                    channel="email", address=claims[2].person.email, scope="email", reason="unsubscribe",
                    source="page", now=clock.now(),
                )
            )  # fmt: skip
            wait_until(lambda: Suppression.objects.exists())

    class Endless(Slowly):
        def deliver(self, letters, *, start_before):
            assert isinstance(letters, Writing)
            super().deliver(letters, start_before=start_before)
            never: dict[str, Future] = {mid: Future() for mid in ("a", "b")}
            left[0].add_done_callback(lambda _: [each.set_result(Answer(ACCEPTED)) for each in never.values()])
            return exchange._as_they_come(never, letters) and {}

    def record(answered) -> None:
        with transaction.atomic():
            outcomes.record("sandbox", answered, now=clock.now())

    provider = Endless(between)
    hand_over(provider, claims, tell=record)
    left[0].result(10)
    assert provider.taken == [claims[0].person.email, claims[1].person.email]
    states = dict(OutboxEntry.objects.values_list("message_id", "state"))
    assert states == {claims[0].due.message_id: "sending", claims[1].due.message_id: "sending",
                      claims[2].due.message_id: "queued"}  # fmt: skip


def test_who_leaves_with_a_letter_on_its_way_waits_for_its_answer_and_for_no_other(monkeypatch):
    monkeypatch.setattr(exchange, "FIRST_LOOK", 3600.0)
    mine, others = Future(), Future()
    told: list[set[str]] = []

    def tell(answers) -> None:
        told.append(set(answers))
        others.set_result(Answer(ACCEPTED))

    looks = iter([frozenset(), frozenset({"mine"})])

    def awaited() -> frozenset[str]:
        found = next(looks, frozenset({"mine"}))
        if found and not mine.done():
            assert not told, "an answer that is not there is nothing to tell of"
            mine.set_result(Answer(ACCEPTED))
        return found

    answers = exchange._as_they_come({"mine": mine, "others": others}, Writing(iter(()), tell, awaited))
    assert told == [{"mine"}] and answers == {"others": Answer(ACCEPTED)}


def test_a_farewell_of_others_is_none_of_a_batch():
    claims, (other,) = claimed(), claimed(1)
    provider = Slowly(lambda count: unsubscribe(other) if count == 1 else None)
    hand_over(provider, claims)
    assert provider.taken == [claim.person.email for claim in claims]
    assert addresses.rows(channel="email", given={other.person.email}, now=clock.now())
