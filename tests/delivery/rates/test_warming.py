"""A domain in warm-up sends no more than its day allows, whoever claims meanwhile, and goes on after good days."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.db import connection, transaction

from contacts import clock, transactions
from delivery import gate, outcomes, sending
from delivery.models import OutboxEntry, SendingDay, SendingDomain, SendLogEntry
from delivery.outcomes import Answered
from delivery.providers.base import ACCEPTED, IN_DOUBT, NOT_STARTED, REJECTED, RETRY, STOP, Answer
from delivery.rates import ramps, routes, warming
from tests.delivery import making

pytestmark = pytest.mark.django_db
committing = pytest.mark.django_db(transaction=True)
DOMAIN = "carillon.example"


def start(*steps: int) -> None:
    warming.start(DOMAIN, steps=steps, now=clock.now())


def queue(count: int, **changes: object) -> list[making.Message]:
    version = making.template()
    return making.enqueue(*[making.request(who, version, **changes) for who in making.contacts(count)])


def row() -> SendingDomain:
    return SendingDomain.objects.get(domain=DOMAIN)


def claimed() -> int:
    return sum(SendingDay.objects.values_list("claimed", flat=True))


def pulse(delivered: int, hard_bounces: int = 0, complaints: int = 0, *, at: datetime | None = None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO sending_pulses (domain, at, delivered, hard_bounces, complaints) VALUES (%s, %s, %s, %s, %s)",
            [DOMAIN, at or clock.now(), delivered, hard_bounces, complaints],
        )


def days_pass(days: int = 1) -> datetime:
    """The instant so many days from now: nobody's rows move."""
    return clock.now() + timedelta(days=days)


def test_marketing_beyond_todays_allowance_waits_untouched_and_transactional_mail_flows():
    start(5, 10)
    messages, receipts = queue(12), queue(7, message_class="transactional")
    before = {each.pk: each for each in OutboxEntry.objects.filter(message__in=messages)}
    making.deliver()
    assert making.states(messages).count("accepted") == 5 == claimed()
    assert set(making.states(receipts)) == {"accepted"}
    waiting = OutboxEntry.objects.all()
    assert len(waiting) == 7
    assert all((each.due_at, each.attempt) == (before[each.pk].due_at, 0) for each in waiting)
    assert not SendLogEntry.objects.filter(message_id__in=[each.pk for each in waiting]).exists()
    assert routes.way("email", now=clock.now()).classes == ("transactional",)


def test_the_rest_goes_on_the_next_day(settings):
    start(5, 10)
    messages = queue(12)
    making.deliver()
    tomorrow = days_pass()
    pulse(5)
    warming.advance(now=tomorrow)
    assert (row().warm_up_step, row().warm_up_held) == (1, "")
    way = routes.way("email", now=tomorrow)
    assert way.classes == routes.CLASSES and way.warming is not None and way.warming.left == 10
    batch = gate.claim("urgent", warm_up=way.warming, limit=100, provider="sandbox", now=tomorrow)
    assert len(batch.claims) == 7 and len(messages) == 12


def test_a_day_begins_where_the_installation_is(settings):
    settings.DEFAULT_TIMEZONE = "Pacific/Kiritimati"
    start(5)
    assert row().warm_up_day == clock.now().astimezone(warming._zone()).date()


def test_skips_take_no_place():
    start(5)
    for email in ("a@bounced.example", "b@bounced.example"):
        making.contact(email)
    refused = [making.message(making.contact("").pk) for _ in range(3)]
    messages = queue(6)
    making.deliver()
    assert set(making.states(refused)) == {"suppressed:no_address"}
    assert making.states(messages).count("accepted") == 5 == claimed()


@pytest.mark.parametrize(
    ("kind", "counts"),
    [(ACCEPTED, 1), (IN_DOUBT, 1), (REJECTED, 0), (RETRY, 0), (NOT_STARTED, 0), (STOP, 0)],
)
def test_what_was_not_taken_gives_its_place_back_on_the_day_of_its_claim(kind, counts):
    start(5)
    queue(1)
    way = routes.way("email", now=clock.now())
    batch = transactions.run(
        lambda now: gate.claim("urgent", warm_up=way.warming, limit=9, provider="sandbox", now=now)
    )
    assert claimed() == 1
    answered = [Answered(claim, Answer(kind)) for claim in batch.claims]
    outcomes.record("sandbox", answered, now=days_pass())
    assert claimed() == counts
    assert SendingDay.objects.get().day == row().warm_up_day


@committing
def test_many_workers_together_claim_exactly_the_allowance(beside, monkeypatch):
    start(23)
    queue(80)
    monkeypatch.setattr(sending, "BATCH", 10)

    def work() -> int:
        return making.run(lambda: sending.deliver_batch("urgent"))

    workers = [beside(work) for _ in range(4)]
    assert sum(worker.result(60) for worker in workers) >= 3
    assert SendLogEntry.objects.filter(kind="accepted").count() == 23 == claimed()
    assert OutboxEntry.objects.count() == 57


@committing
def test_who_saw_more_places_than_there_are_under_the_lock_takes_no_more_than_those(beside):
    start(10)
    queue(30)
    old = routes.way("email", now=clock.now()).warming
    making.deliver()  # all ten are gone; the other one has looked before
    batch = transactions.run(lambda now: gate.claim("urgent", warm_up=old, limit=30, provider="sandbox", now=now))
    assert batch.claims == () and claimed() == 10
    assert OutboxEntry.objects.filter(state="queued", attempt=0).count() == 20


@pytest.mark.parametrize(
    ("sent", "delivered", "bounced", "complained", "step", "held"),
    [
        (100, 98, 1, 0, 1, ""),
        (100, 90, 5, 0, 0, "5.3 % bounced for good (2 % is too many)"),
        (100, 95, 0, 1, 0, "1.05 % were reported as spam (0.1 % is too many)"),
        (20, 20, 0, 0, 0, "only 20 of 100 were sent"),
        (100, 0, 0, 0, 0, "only 0 of 100 were reported on"),
    ],
)
def test_a_day_that_did_not_go_well_is_repeated_and_says_why(sent, delivered, bounced, complained, step, held):
    start(100, 200)
    place = warming.lock(warming.Domain(DOMAIN, 100, 100, row().created_at), now=clock.now())
    warming.add(place, sent)
    pulse(delivered, bounced, complained)
    assert warming.advance(now=days_pass()) == 1
    assert (row().warm_up_step, row().warm_up_held) == (step, held)
    assert warming.advance(now=days_pass()) == 0  # once a day


def test_what_was_reported_on_other_days_says_nothing_of_yesterday():
    start(100, 200)
    warming.add(warming.lock(warming.Domain(DOMAIN, 100, 100, row().created_at), now=clock.now()), 100)
    pulse(100)
    pulse(10, 50, 50, at=clock.now() - timedelta(days=1))
    pulse(10, 50, 50, at=clock.now() + timedelta(days=1))
    warming.advance(now=days_pass())
    assert row().warm_up_step == 1


def test_after_days_on_which_nobody_was_here_it_goes_on_from_the_last_one():
    start(100, 200, 300)
    warming.add(warming.lock(warming.Domain(DOMAIN, 100, 100, row().created_at), now=clock.now()), 100)
    pulse(100)
    later = days_pass(9)
    warming.advance(now=later)
    assert (row().warm_up_step, row().warm_up_day) == (1, later.astimezone(warming._zone()).date())


def test_after_the_last_day_there_is_no_limit():
    start(5)
    making.deliver()
    queue(5)
    making.deliver()
    pulse(5)
    warming.advance(now=days_pass())
    assert row().warm_up_steps == [] and routes.way("email", now=days_pass()).warming is None


def test_a_person_holds_it_and_lets_it_go_on():
    start(5, 10)
    queue(5)
    making.deliver()
    pulse(5)
    assert warming.hold(DOMAIN, by="ada@example.com") is True
    warming.advance(now=days_pass())
    assert (row().warm_up_step, row().warm_up_held) == (0, "held by ada@example.com")
    warming.hold(DOMAIN, by="")
    assert warming.hold("unknown.example", by="") is False


def test_a_warm_up_that_is_stopped_limits_nothing():
    start(5)
    messages = queue(12)
    making.deliver()
    assert warming.stop(DOMAIN) is True and warming.stop(DOMAIN) is False
    making.deliver()
    assert set(making.states(messages)) == {"accepted"}


def test_a_warm_up_may_be_named_and_has_to_be_one():
    warming.start(f" {DOMAIN.upper()} ", ramp="careful", now=clock.now())
    assert len(row().warm_up_steps) == 28
    with pytest.raises(ramps.BadRamp):
        warming.start(DOMAIN, ramp="reckless", now=clock.now())


def test_another_channel_is_not_warmed_up():
    start(1)
    messages = [making.message(making.contact(phone=f"+4930{n}").pk, channel="sms") for n in range(3)]
    making.deliver()
    assert set(making.states(messages)) == {"accepted"}


def test_an_undecided_claim_counts_nothing_where_the_transaction_is_undone():
    start(5)
    queue(3)
    way = routes.way("email", now=clock.now())
    with pytest.raises(RuntimeError), transaction.atomic():
        gate.claim("urgent", warm_up=way.warming, limit=9, provider="sandbox", now=clock.now())
        raise RuntimeError
    assert claimed() == 0
