"""Who delivers when the first choice cannot: what provably did not start goes another way, and nothing else does."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

import pytest

from contacts import clock
from delivery import providers, sending
from delivery.models import OutboxEntry, Provider, SandboxMail, SendLogEntry
from delivery.providers import base
from delivery.providers.base import ACCEPTED, IN_DOUBT, NOT_STARTED, REJECTED, RETRY, STOP, Answer, Letter
from delivery.rates import resting, routes, stopping
from delivery.rates.resting import Health
from tests.delivery import making

pytestmark = pytest.mark.django_db


class Told(base.Provider):
    """Answers as it is told."""

    name = "told"
    is_throttled = False

    def __init__(self) -> None:
        self.answer = Answer(RETRY, "no_connection")
        self.batches: list[int] = []

    def deliver(self, letters: Iterable[Letter], *, start_before: float) -> dict[str, Answer]:
        mids = [letter.mid for letter in letters]
        self.batches.append(len(mids))
        return dict.fromkeys(mids, self.answer)


@pytest.fixture
def told(settings, monkeypatch) -> Iterator[Told]:
    provider = Told()
    settings.EMAIL_PROVIDER = "told"
    settings.EMAIL_FALLBACK_PROVIDER = "sandbox"
    real = providers.named
    monkeypatch.setattr(providers, "named", lambda name: provider if name == "told" else real(name))
    yield provider


def row() -> Provider:
    return Provider.objects.get(name="told")


def batch(message: making.Message | None = None) -> None:
    """One batch, of everything that waits."""
    making.change("UPDATE outbox SET due_at = LEAST(due_at, now())", [])
    sending.deliver_batch("urgent")


def wake() -> None:
    """The rest is over."""
    making.age("resting_until", "providers", "1 hour", "resting_until IS NOT NULL")


def by(message: making.Message) -> list[str]:
    return list(SendLogEntry.objects.filter(message=message, kind="accepted").values_list("provider", flat=True))


@pytest.mark.parametrize(
    ("kinds", "failures", "found"),
    [
        ([("retry", "no_connection")], 0, False),
        ([("retry", "unavailable"), ("not_started", "lease_over")], 0, False),
        ([("retry", "no_connection"), ("in_doubt", "no_answer")], 0, False),
        ([("retry", "no_connection"), ("accepted", "")], 0, None),
        ([("retry", "no_connection"), ("accepted", "")], 2, True),
        ([("retry", "rate_limited")], 0, False),
        ([("retry", "rate_limited"), ("accepted", "")], 2, True),
        ([("retry", "refused_for_now"), ("retry", "over_quota")], 2, True),
        ([("in_doubt", "provider_fault"), ("accepted", "")], 0, False),
        ([("not_started", "provider_fault")], 0, False),
        ([("rejected", "invalid_message")], 2, True),
        ([("stop", "unauthorized")], 2, True),
        ([("accepted", "")], 0, None),
        ([("in_doubt", "no_answer")], 0, None),
        ([("in_doubt", "no_answer")] * 5, 0, False),
        ([("in_doubt", "no_answer")] * 5 + [("accepted", "")], 0, None),
        ([("in_doubt", "no_answer")], 2, None),
        ([("not_started", "lease_over")], 2, None),
        ([], 2, None),
    ],
)
def test_what_a_batch_says_of_its_provider(kinds, failures, found):
    assert resting.says([Answer(kind, reason) for kind, reason in kinds], Health(failures)) is found


def test_after_two_batches_that_did_not_reach_it_the_other_one_takes_over(told, caplog):
    message = making.message()
    with caplog.at_level(logging.WARNING):
        batch()
        assert routes.way("email", now=clock.now()).provider == "told"
        batch()
    assert routes.way("email", now=clock.now()).provider == "sandbox"
    assert "told took nothing, 2 batches in a row" in caplog.text
    assert row().failures == 2 and row().resting_until is not None
    batch()
    assert making.state(message) == "accepted" and by(message) == ["sandbox"]
    assert SandboxMail.objects.count() == 1 and told.batches == [1, 1]


def test_no_attempt_is_used_up_by_a_provider_that_is_not_there(told, settings):
    settings.EMAIL_FALLBACK_PROVIDER = ""
    message = making.message()
    for _ in range(5):
        wake()
        batch()
    assert making.state(message) == "queued:no_connection"
    assert OutboxEntry.objects.get().attempt == 0
    assert sum(SendLogEntry.objects.values_list("cap_delta", flat=True)) == 0
    told.answer = Answer(ACCEPTED)
    wake()
    batch()
    assert making.state(message) == "accepted" and row().failures == 0 and row().resting_until is None


def test_without_another_one_they_wait_untouched_while_it_rests(told, settings):
    settings.EMAIL_FALLBACK_PROVIDER = ""
    making.message()
    batch()
    batch()
    assert routes.way("email", now=clock.now()).classes == ()
    before = SendLogEntry.objects.count()
    batch()
    assert SendLogEntry.objects.count() == before and told.batches == [1, 1]


def test_after_the_rest_one_worker_tries_a_few(told):
    version = making.template()
    making.enqueue(*[making.request(who, version) for who in making.contacts(30)])
    batch()
    batch()
    wake()
    told.answer = Answer(ACCEPTED)
    now = clock.now()
    assert routes.way("email", now=now).health.is_trial
    assert resting.try_again("told", now=now) is True
    assert resting.try_again("told", now=now) is False  # somebody is at it
    assert routes.way("email", now=now).provider == "sandbox"  # for all others
    wake()
    batch()
    assert told.batches == [30, 30, resting.TRIED]
    assert not routes.way("email", now=now).health.is_trial
    batch()
    assert told.batches[-1] == 30 - resting.TRIED


def test_rests_grow_while_it_stays_away(told, settings):
    settings.EMAIL_FALLBACK_PROVIDER = ""
    making.message()
    rests: list[timedelta] = []
    for _ in range(5):
        wake()
        now: datetime = clock.now()
        batch()
        if (until := row().resting_until) is not None:
            rests.append(until - now)
    first = timedelta(milliseconds=settings.ESP_BACKOFF_MS * resting.REST)
    assert len(rests) == 4
    for doubled, found in enumerate(rests):
        assert 2**doubled <= found / first <= 2**doubled * (1 + resting.SPREAD) * 1.01  # `now` was read a little before
    assert resting.rest(10_000) == resting.LONGEST_REST


def test_batches_that_were_under_way_when_the_rest_began_make_it_no_longer(told):
    now = clock.now()
    for _ in range(6):
        resting.note("told", False, Health(), now=now)
    assert row().failures == 2


def test_what_is_in_doubt_never_goes_another_way(told):
    told.answer = Answer(IN_DOUBT, "no_answer")
    message = making.message()
    for _ in range(4):
        batch()
    stopping.stop("told", "401", now=clock.now())
    batch()
    assert making.state(message) == "in_doubt:no_answer" and not SandboxMail.objects.exists()


def test_a_provider_that_refuses_us_hands_over_to_the_other_one(told):
    told.answer = Answer(STOP, "unauthorized", code=401)
    message = making.message()
    batch()
    assert stopping.is_stopped("told")
    batch()
    assert making.state(message) == "accepted" and by(message) == ["sandbox"]
    assert OutboxEntry.objects.count() == 0


def test_a_message_that_the_first_one_refuses_is_not_offered_to_the_other(told):
    told.answer = Answer(REJECTED, "invalid_message")
    message = making.message()
    batch()
    batch()
    assert making.state(message) == "rejected:invalid_message" and not SandboxMail.objects.exists()


def test_what_was_not_started_in_time_says_nothing_of_the_provider(told):
    told.answer = Answer(NOT_STARTED, "lease_over")
    making.message()
    batch()
    batch()
    assert not Provider.objects.exists()


def test_whoever_resumes_a_provider_ends_its_rest_too(told):
    making.message()
    batch()
    batch()
    assert stopping.resume("told") is False
    assert routes.way("email", now=clock.now()).provider == "told"


def test_a_provider_that_is_well_costs_a_batch_no_statement_about_it(told, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert resting.says([Answer(ACCEPTED)] * 100, Health()) is None
