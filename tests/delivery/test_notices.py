"""Mail to those who work here: handed over once, and never again where it may have gone."""

from __future__ import annotations

import time

import pytest
from django.db import connection, transaction

from contacts import clock
from contacts.models import Contact
from contacts.privacy import erasing
from delivery import notices, providers, suppression
from delivery.models import Provider, SandboxMail, StaffNotice
from delivery.notices import Notice
from delivery.providers.base import IN_DOUBT, REJECTED, RETRY, STOP, Answer
from delivery.rates import resting, stopping
from tests import journeys

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def provider(settings, monkeypatch):
    """A provider that answers what it is told, and keeps what it got."""

    class Told:
        name, is_throttled, channels = "told", False, frozenset({"email"})
        answer = Answer("accepted", code=202)
        letters: list = []

        def deliver(self, letters, *, start_before):
            taken = list(letters)
            self.letters = [*self.letters, *taken]
            return {letter.mid: self.answer for letter in taken}

    told = Told()
    settings.EMAIL_PROVIDER = "told"
    real = providers.named
    monkeypatch.setattr(providers, "named", lambda name: told if name == "told" else real(name))
    return told


def leave(key: str = "k", to: str = "maya@example.com", lane: str = "urgent") -> None:
    contact_id = journeys.contact(email=f"{key}@example.com").pk
    with transaction.atomic():
        notices.enqueue([Notice(contact_id, to, "Subject", "Words", key, lane)], now=clock.now())


def state() -> tuple[str, str]:
    row = StaffNotice.objects.get()
    return row.state, row.reason


def test_a_notice_is_handed_over_once_and_its_words_go():
    leave()
    leave()  # the same step, run by a worker that did not know
    assert notices.deliver_batch("urgent")
    assert not notices.deliver_batch("urgent")
    assert SandboxMail.objects.get().text == "Words"
    row = StaffNotice.objects.get()
    assert (row.state, row.text) == ("accepted", "")


def test_the_people_of_the_sandbox_leave_the_mail_of_those_who_work_here_alone():
    """Two in a hundred would bounce, and the owner would hear of no further task."""
    leave()
    notices.deliver_batch("urgent")
    mail = SandboxMail.objects.get()
    assert (mail.reacts_at, mail.reaction) == (None, "")
    assert mail.headers["Auto-Submitted"] == "auto-generated"


def test_a_notice_stays_in_its_lane(provider):
    leave(lane="bulk")
    assert not notices.deliver_batch("urgent")
    assert notices.deliver_batch("bulk")


def test_what_may_have_been_taken_is_never_sent_again(provider):
    provider.answer = Answer(IN_DOUBT, "no_answer")
    leave()
    notices.deliver_batch("urgent")
    assert state() == ("in_doubt", "no_answer")
    assert not notices.deliver_batch("urgent")
    assert len(provider.letters) == 1


def test_a_worker_that_is_lost_leaves_a_doubt_and_no_second_mail(provider, monkeypatch):
    monkeypatch.setattr(notices, "_record", lambda *_: None)  # killed between the answer and writing it down
    leave()
    notices.deliver_batch("urgent")
    assert not notices.reap_batch()  # its lease is not over
    with connection.cursor() as cursor:
        cursor.execute("UPDATE staff_notices SET lease_until = now() - interval '1 hour'")
    assert notices.reap_batch()
    assert state() == ("in_doubt", "worker_lost")
    assert not notices.deliver_batch("urgent")


def test_an_answer_that_comes_after_the_doubt_changes_nothing(provider):
    """The worker was slower than its lease and was given up meanwhile."""
    leave()
    real = provider.deliver

    def deliver(letters, *, start_before):
        StaffNotice.objects.update(lease_until="2020-01-01T00:00:00Z")
        notices.reap_batch()
        return real(letters, start_before=start_before)

    provider.deliver = deliver
    provider.answer = Answer(RETRY, "rate_limited")
    notices.deliver_batch("urgent")
    assert state() == ("in_doubt", "worker_lost")
    assert not notices.deliver_batch("urgent")


def test_what_was_refused_for_now_is_tried_again_and_at_last_given_up(provider, settings):
    settings.ESP_MAX_ATTEMPTS = 2
    provider.answer = Answer(RETRY, "refused_for_now")
    leave()
    for _ in range(2):
        notices.deliver_batch("urgent")
        StaffNotice.objects.filter(state="queued").update(due_at="2020-01-01T00:00:00Z")
    assert state() == ("rejected", "retries_exhausted")
    assert len(provider.letters) == 2


def test_what_is_refused_for_good_is_not_tried_again(provider):
    provider.answer = Answer(REJECTED, "invalid_message")
    leave()
    notices.deliver_batch("urgent")
    assert state() == ("rejected", "invalid_message")


def test_a_provider_that_refuses_us_is_stopped_and_the_notice_waits(provider):
    provider.answer = Answer(STOP, "unauthorized", 401)
    leave()
    notices.deliver_batch("urgent")
    assert stopping.is_stopped("told")
    assert not notices.deliver_batch("urgent")
    assert StaffNotice.objects.values_list("state", "attempt").get() == ("queued", 0)


def test_the_other_provider_takes_over_the_notices_of_one_that_refuses_us(provider, settings):
    settings.EMAIL_FALLBACK_PROVIDER = "sandbox"
    provider.answer = Answer(STOP, "unauthorized", 401)
    leave()
    notices.deliver_batch("urgent")
    assert notices.deliver_batch("urgent")
    assert SandboxMail.objects.get().to_address == "maya@example.com"
    assert state() == ("accepted", "")


def test_a_provider_that_is_not_there_rests_for_notices_too_and_uses_up_no_attempt(provider, settings):
    settings.ESP_MAX_ATTEMPTS = 1
    provider.answer = Answer(RETRY, "no_connection")
    leave()
    for _ in range(resting.LEAST):
        notices.deliver_batch("urgent")
        StaffNotice.objects.update(due_at="2020-01-01T00:00:00Z")
    assert StaffNotice.objects.values_list("state", "attempt").get() == ("queued", 0)
    assert not notices.deliver_batch("urgent")
    assert len(provider.letters) == resting.LEAST
    Provider.objects.update(resting_until="2020-01-01T00:00:00Z")
    provider.answer = Answer("accepted", code=202)
    assert notices.deliver_batch("urgent")
    assert state() == ("accepted", "")
    assert Provider.objects.get(name="told").failures == 0


def test_an_address_that_nothing_may_go_to_gets_no_notice_but_an_unsubscribed_one_does(provider):
    now = clock.now()
    suppression.suppress(
        channel="email", address="maya@example.com", scope="email", reason="unsubscribe", source="test", now=now
    )
    leave("one")
    notices.deliver_batch("urgent")
    assert state() == ("accepted", "")
    suppression.suppress(
        channel="email", address="Maya@example.com", scope="all", reason="hard_bounce", source="test", now=now
    )
    leave("two")
    notices.deliver_batch("urgent")
    row = StaffNotice.objects.get(idempotency_key="two")
    assert (row.state, row.reason) == ("suppressed", "hard_bounce")


def test_whoever_suppresses_an_address_waits_for_a_notice_that_is_under_way(settings, provider):
    settings.SEND_LEASE_SECONDS = 0.6
    leave()
    taken, claims = transaction.atomic(notices._claim)("urgent", 10, clock.now())
    assert (taken, len(claims)) == (1, 1)
    began = time.monotonic()
    suppression.suppress(
        channel="email", address="maya@example.com", scope="all", reason="manual", source="test", now=clock.now()
    )
    with connection.cursor() as cursor:
        cursor.execute("SELECT bool_and(lease_until <= now()) FROM staff_notices")
        assert cursor.fetchone()[0]
    assert time.monotonic() > began


def test_a_notice_goes_with_the_contact_that_it_is_about(provider):
    leave()
    with transaction.atomic():
        erasing.erase(Contact.objects.get().pk, actor="test", now=clock.now())
    assert not StaffNotice.objects.exists()
