"""What is not a message's own fault costs it no attempt: it is put back, waits longer each time, and does not do so for
ever."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import pytest

from contacts import clock
from delivery import outcomes, providers, sending, starts
from delivery.models import OutboxEntry, Provider, SandboxMail, SendLogEntry, StaffNotice
from delivery.providers import base
from delivery.providers.base import ACCEPTED, NOT_STARTED, RETRY, Answer, Letter
from delivery.rates import resting
from tests.delivery import making
from tests.delivery.esp import Reaction

pytestmark = pytest.mark.django_db


class Told(base.Provider):
    """Answers as it is told."""

    name = "told"
    is_throttled = False

    def __init__(self) -> None:
        self.answer = Answer(RETRY, "rate_limited", code=429)
        self.batches: list[int] = []

    def deliver(self, letters: Iterable[Letter], *, start_before: float) -> dict[str, Answer]:
        mids = [letter.mid for letter in letters]
        self.batches.append(len(mids))
        return dict.fromkeys(mids, self.answer)


@pytest.fixture
def told(settings, monkeypatch) -> Told:
    provider = Told()
    settings.EMAIL_PROVIDER, settings.EMAIL_FALLBACK_PROVIDER = "told", ""
    settings.ESP_MAX_ATTEMPTS = 3
    settings.ESP_BACKOFF_MS = 1
    real = providers.named
    monkeypatch.setattr(providers, "named", lambda name: provider if name == "told" else real(name))
    return provider


def batch() -> bool:
    """The pause of every message is over, and so is the rest of the provider."""
    making.age("resting_until", "providers", "1 hour", "resting_until IS NOT NULL")
    making.change("UPDATE outbox SET due_at = LEAST(due_at, now())", [])
    return sending.deliver_batch("urgent")


def pause(message: making.Message) -> float:
    row = OutboxEntry.objects.get(message=message)
    return (row.due_at - SendLogEntry.objects.filter(message=message).latest("id").at).total_seconds()


@pytest.mark.parametrize("reason", ["rate_limited", "over_quota"])
def test_a_storm_of_refusals_uses_up_no_attempt_and_no_place_under_the_cap(told, reason):
    told.answer = Answer(RETRY, reason, code=429)
    message = making.message()
    for _ in range(10):
        batch()
    assert making.state(message) == f"queued:{reason}"
    assert OutboxEntry.objects.get().attempt == 0
    assert sum(SendLogEntry.objects.values_list("cap_delta", flat=True)) == 0
    told.answer = Answer(ACCEPTED)
    batch()
    assert making.state(message) == "accepted"


def test_each_pause_is_longer_than_the_last_but_one_up_to_the_longest(told, settings):
    settings.ESP_BACKOFF_MS = 1000
    message = making.message()
    pauses: list[float] = []
    for _ in range(14):
        batch()
        pauses.append(pause(message))
    longest = outcomes.LONGEST_PUT_BACK.total_seconds()
    for nth, seconds in enumerate(pauses):
        wanted = min(2**nth, longest)
        assert wanted / 2 <= seconds <= min(wanted * 1.5, longest)
    assert len({round(seconds, 6) for seconds in pauses[:8]}) == 8  # no two of them are in step


def test_after_a_day_of_refusals_attempts_are_counted_and_end(told):
    message = making.message()
    batch()
    making.age("at", "contact_send_log", "25 hours")
    for _ in range(4):
        batch()
    assert making.state(message) == "rejected:retries_exhausted"
    assert not OutboxEntry.objects.exists() and len(told.batches) == 4


def test_whoever_is_sent_anew_by_hand_has_a_day_again(told):
    from delivery import dead_letters

    message = making.message()
    batch()
    making.age("at", "contact_send_log", "25 hours")
    for _ in range(4):
        batch()
    assert dead_letters.replay([message.pk], now=clock.now()).messages == (message.pk,)
    for _ in range(5):
        batch()
    assert making.state(message) == "queued:rate_limited"


def test_a_provider_that_has_too_much_of_everything_rests_and_is_tried_with_a_few(told):
    version = making.template()
    making.enqueue(*[making.request(who, version) for who in making.contacts(20)])
    for _ in range(5):
        batch()
    assert told.batches == [20, 20, resting.TRIED, resting.TRIED, resting.TRIED]
    row = Provider.objects.get(name="told")
    assert row.failures == 5 and row.resting_until is not None
    told.answer = Answer(ACCEPTED)
    batch()
    batch()
    assert not OutboxEntry.objects.exists() and Provider.objects.get(name="told").failures == 0


def test_a_rest_is_as_long_as_the_provider_asked_for_at_least(told):
    told.answer = Answer(RETRY, "rate_limited", code=429, retry_after=900.0)
    making.message()
    for _ in range(resting.LEAST):
        now = clock.now()
        making.change("DELETE FROM providers", [])
        resting.note("told", False, resting.Health(), now=now)
        making.change("UPDATE outbox SET due_at = LEAST(due_at, now())", [])
        sending.deliver_batch("urgent")
    until = Provider.objects.get(name="told").resting_until
    assert until is not None and until - now >= timedelta(seconds=900)


def test_another_provider_takes_over_from_one_that_has_too_much(told, settings):
    settings.EMAIL_FALLBACK_PROVIDER = "sandbox"
    message = making.message()
    for _ in range(resting.LEAST):
        making.change("UPDATE outbox SET due_at = LEAST(due_at, now())", [])
        sending.deliver_batch("urgent")
    making.change("UPDATE outbox SET due_at = LEAST(due_at, now())", [])
    sending.deliver_batch("urgent")
    assert making.state(message) == "accepted" and SandboxMail.objects.count() == 1


def test_a_notice_to_those_who_work_here_is_put_back_as_well(told):
    from delivery import notices

    now = clock.now()
    with_one = notices.Notice(None, "maya@example.com", "Subject", "Words", "k", "urgent")
    notices.enqueue([with_one], now=now)
    for _ in range(6):
        making.age("resting_until", "providers", "1 hour", "resting_until IS NOT NULL")
        making.change("UPDATE staff_notices SET due_at = LEAST(due_at, now())", [])
        notices.deliver_batch("urgent")
    assert StaffNotice.objects.values_list("state", "attempt").get() == ("queued", 0)
    making.age("created_at", "staff_notices", "25 hours")
    for _ in range(4):
        making.age("resting_until", "providers", "1 hour", "resting_until IS NOT NULL")
        making.change("UPDATE staff_notices SET due_at = LEAST(due_at, now())", [])
        notices.deliver_batch("urgent")
    assert StaffNotice.objects.values_list("state", "reason").get() == ("rejected", "retries_exhausted")


def test_what_could_not_be_noted_waits_longer_each_time_and_keeps_its_turn(told, settings):
    settings.ESP_BACKOFF_MS = 1000
    told.answer = Answer(NOT_STARTED, "no_journal")
    message = making.message()
    OutboxEntry.objects.update(is_paced=True)
    pauses: list[float] = []
    for _ in range(6):
        assert batch() is False  # this worker stops, rather than to churn through the queue
        pauses.append(pause(message))
    assert all(2**nth / 2 <= seconds <= 2**nth * 1.5 for nth, seconds in enumerate(pauses))
    row = OutboxEntry.objects.get()
    assert (row.state, row.attempt, row.is_paced) == ("queued", 0, True)
    told.answer = Answer(ACCEPTED)
    batch()
    assert making.state(message) == "accepted"


def test_what_was_late_keeps_its_turn_and_what_was_refused_asks_for_another(told):
    told.answer = Answer(NOT_STARTED, "lease_over")
    making.message()
    OutboxEntry.objects.update(is_paced=True)
    batch()
    assert OutboxEntry.objects.get().is_paced is True
    told.answer = Answer(RETRY, "refused_for_now")
    batch()
    assert OutboxEntry.objects.get().is_paced is False


def test_a_start_that_cannot_be_noted_is_called_so_over_http_too(esp, monkeypatch):
    def unwritable(mid: str) -> None:
        raise starts.Unwritable

    esp.react = lambda nth, body: Reaction()
    monkeypatch.setattr(starts, "start", unwritable)
    message = making.message()
    assert sending.deliver_batch("urgent") is False
    assert making.state(message) == "queued:no_journal" and esp.received == []
