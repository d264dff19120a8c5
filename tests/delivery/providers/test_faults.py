"""A provider whose code fails: what may have left is in doubt, the rest is put back and cannot leave any more."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from datetime import timedelta

import pytest

from contacts import clock
from delivery import notices, providers, sending, starts, transport, trouble
from delivery.models import OutboxEntry, Provider, StaffNotice
from delivery.providers import base, exchange
from delivery.providers.base import ACCEPTED, Answer, Letter, Writing
from delivery.providers.exchange import Request
from tests.delivery import making

pytestmark = pytest.mark.django_db

SECRET = "the words of a letter"


class Failing(base.Provider):
    """Fails as soon as `left` letters have begun to leave; the others it has in its hands."""

    name = "told"
    is_throttled = False
    marks_starts = True

    def __init__(self) -> None:
        self.left = 0
        self.takes: int | None = None
        self.fails = True
        self.mids: list[str] = []

    def deliver(self, letters: Iterable[Letter], *, start_before: float) -> dict[str, Answer]:
        self.mids = []
        for letter in letters:
            self.mids.append(letter.mid)
            if self.takes is not None and len(self.mids) == self.takes:
                break
        for mid in self.mids[: self.left]:
            starts.start(mid)
        if self.fails:
            raise KeyError(SECRET)
        return dict.fromkeys(self.mids, Answer(ACCEPTED))


@pytest.fixture
def failing(settings, monkeypatch) -> Failing:
    provider = Failing()
    settings.EMAIL_PROVIDER, settings.EMAIL_FALLBACK_PROVIDER = "told", ""
    real = providers.named
    monkeypatch.setattr(providers, "named", lambda name: provider if name == "told" else real(name))
    return provider


def by_mid(messages: list[making.Message]) -> dict[str, str]:
    return dict(zip([str(message.public_id) for message in messages], making.states(messages), strict=True))


def test_only_what_had_begun_is_in_doubt_and_the_rest_is_put_back_untouched(failing, caplog):
    failing.left = 2
    messages = [making.message() for _ in range(6)]
    with caplog.at_level(logging.WARNING):
        assert sending.deliver_batch("urgent") is True
    states = by_mid(messages)
    assert [states[mid] for mid in failing.mids[:2]] == ["in_doubt:provider_fault"] * 2
    assert [states[mid] for mid in failing.mids[2:]] == ["queued:provider_fault"] * 4
    assert set(OutboxEntry.objects.filter(state="queued").values_list("attempt", flat=True)) == {0}
    (line,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert "told failed with KeyError at test_faults.py" in line.getMessage()
    assert "of 6 letters 2 may have left" in line.getMessage()
    assert SECRET not in caplog.text


def test_of_a_provider_that_marks_no_start_everything_it_was_given_is_in_doubt(failing):
    failing.marks_starts = False
    failing.takes = 2
    messages = [making.message() for _ in range(5)]
    sending.deliver_batch("urgent")
    states = by_mid(messages)
    assert {states.pop(mid) for mid in failing.mids} == {"in_doubt:provider_fault"}
    assert list(states.values()) == ["queued:provider_fault"] * 3


def test_what_was_put_back_goes_out_once_the_fault_is_mended(failing, settings):
    message = making.message()
    began = clock.now()
    sending.deliver_batch("urgent")
    row = OutboxEntry.objects.get()
    at_last = timedelta(seconds=settings.SEND_LEASE_SECONDS * sending.START_SHARE)
    assert row.due_at > began + at_last  # when no request of the batch that failed can start any more
    failing.fails = False
    making.change("UPDATE outbox SET due_at = now()", [])
    sending.deliver_batch("urgent")
    assert making.state(message) == "accepted"


def test_a_letter_that_breaks_the_provider_stands_in_nobodys_way_for_long(failing, settings):
    settings.ESP_BACKOFF_MS = 1
    making.message()
    for _ in range(4):
        making.age("resting_until", "providers", "1 hour", "resting_until IS NOT NULL")
        making.change("UPDATE outbox SET due_at = LEAST(due_at, now())", [])
        sending.deliver_batch("urgent")
    assert Provider.objects.get(name="told").resting_until is not None
    assert [each.said for each in trouble.look(now=clock.now()) if each.kind == "provider"] == [
        "told takes nothing for now and rests"
    ]
    assert OutboxEntry.objects.get().attempt == 0


def test_what_was_told_before_the_fault_stays_told(failing):
    class Telling(Failing):
        def deliver(self, letters: Iterable[Letter], *, start_before: float) -> dict[str, Answer]:
            assert isinstance(letters, Writing)
            first = next(letters)
            starts.start(first.mid)
            letters.tell({first.mid: Answer(ACCEPTED)})
            raise RuntimeError

    failing.deliver = Telling().deliver  # type: ignore[method-assign]
    messages = [making.message() for _ in range(3)]
    sending.deliver_batch("urgent")
    assert sorted(making.states(messages)) == ["accepted", "queued:provider_fault", "queued:provider_fault"]


def test_a_request_that_was_on_its_way_to_the_loop_cannot_leave_any_more(failing, esp, settings):
    """The provider fails while the transport still has its requests: none of them may start afterwards."""
    settings.EMAIL_PROVIDER = "told"
    late: list[object] = []

    def deliver(letters: Iterable[Letter], *, start_before: float) -> dict[str, Answer]:
        for letter in letters:
            request = Request(f"{esp.url}/v3/mail/send", b"{}", {}, lambda reply: Answer(ACCEPTED))
            late.append(exchange.send(request, start_before, mid=letter.mid))
        raise RuntimeError

    failing.deliver = deliver  # type: ignore[method-assign]
    message = making.message()
    sending.deliver_batch("urgent")
    assert making.state(message) == "queued:provider_fault"
    answer = transport.start(late[0]).result(10)  # type: ignore[arg-type]
    assert answer.kind == base.NOT_STARTED and esp.received == []


def test_a_fault_of_our_own_while_an_answer_is_written_down_is_not_the_providers(failing):
    class Ours(Exception):
        pass

    def tell(answers: object) -> None:
        raise Ours

    def deliver(letters: Iterable[Letter], *, start_before: float) -> dict[str, Answer]:
        assert isinstance(letters, Writing)
        letters.tell({})
        return {}

    failing.deliver = deliver  # type: ignore[method-assign]
    from delivery.providers import faults

    with pytest.raises(Ours):
        faults.deliver(failing, Writing(iter(()), tell), mids=(), start_before=time.monotonic() + 1)


def test_a_notice_is_in_doubt_or_put_back_likewise(failing):
    notices.enqueue([notices.Notice(None, "maya@example.com", "S", "W", "k", "urgent")], now=clock.now())
    notices.deliver_batch("urgent")
    assert StaffNotice.objects.values_list("state", "attempt").get() == ("queued", 0)
    failing.left = 1
    notices.enqueue([notices.Notice(None, "maya@example.com", "S", "W", "another", "urgent")], now=clock.now())
    notices.deliver_batch("urgent")
    another = StaffNotice.objects.get(idempotency_key="another")
    assert (another.state, another.reason) == ("in_doubt", "provider_fault")
