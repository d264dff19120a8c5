"""Alerts are told of by mail and by a signed call: at least once, each under one id, and nobody waits for it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import threading
from datetime import timedelta

import pytest
from django.db import connection

from analytics.health import alerts_machines, alerts_telling
from analytics.health.alerts import CRITICAL
from analytics.models import AlertCall
from contacts import clock
from delivery import notices
from delivery.models import SandboxMail, StaffNotice
from delivery.outgoing import signatures
from tests.analytics.alerts.conftest import finding
from tests.receiver import receiving

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def receiver(settings, look):
    settings.WEBHOOK_ALLOWED_HOSTS = ["127.0.0.1"]
    settings.WEBHOOK_TIMEOUT_SECONDS = 5.0
    with receiving() as found:
        settings.ALERT_WEBHOOK_URL = f"{found.url}/hook"
        yield found


@pytest.fixture
def opened(look):
    """One alert, told of."""
    for seconds in (0, 60):
        look(seconds, finding("lane", CRITICAL, title="A lane is late", where="/admin/?queue=x#q"))
    made_just_now()


def made_just_now() -> None:
    AlertCall.objects.update(created_at=clock.now())
    StaffNotice.objects.update(created_at=clock.now())


def due_again() -> None:
    AlertCall.objects.filter(state__in=["queued", "calling"]).update(due_at="2020-01-01T00:00:00Z")


def the_call() -> AlertCall:
    return AlertCall.objects.get()


def test_the_call_says_what_where_and_what_to_do_and_is_signed(receiver, opened, settings):
    settings.PUBLIC_URL = "https://bells.example.com"
    AlertCall.objects.update(due_at=clock.now())
    assert alerts_telling.call_batch(patience=None)
    assert not alerts_telling.call_batch(patience=None)
    (got,) = receiver.got
    assert (got.method, got.path, got.json["type"]) == ("POST", "/hook", "alert.opened")
    assert got.json["text"] == "Critical: A lane is late. 12 wait."
    data = got.json["data"]
    assert (data["key"], data["severity"], data["title"]) == ("test:lane", "critical", "A lane is late")
    assert data["page"].endswith("/admin/?queue=x#q") and data["runbook"].endswith("/runbook/#test")
    signed = f"{got.headers['webhook-id']}.{got.headers['webhook-timestamp']}.".encode() + got.body
    key = signatures.key_of(signatures.secrets()[0])
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert got.headers["webhook-signature"] == f"v1,{expected}"
    assert (the_call().state, the_call().status, the_call().attempts) == ("answered", 200, 1)


def test_the_mail_arrives_with_the_links(opened, settings):
    while notices.deliver_batch("urgent"):
        pass
    mail = SandboxMail.objects.get()
    assert (mail.to_address, mail.subject) == ("ops@example.com", "[Carillon] Critical: A lane is late")
    assert f"What to do: {settings.PUBLIC_URL}/admin/analytics/alert/runbook/#test" in mail.text
    assert f"Where: {settings.PUBLIC_URL}/admin/?queue=x#q" in mail.text


def test_a_call_that_fails_is_made_again_under_the_same_id_until_it_is_taken(receiver, opened):
    receiver.answers(503)
    alerts_telling.call_batch(patience=None)
    assert (the_call().state, the_call().reason) == ("queued", "status_503") and the_call().due_at > clock.now()
    assert not alerts_telling.call_batch(patience=None)
    receiver.answers(204, b"")
    due_again()
    alerts_telling.call_batch(patience=None)
    assert (the_call().state, the_call().attempts, the_call().reason) == ("answered", 2, "")
    assert len({got.headers["webhook-id"] for got in receiver.got}) == 1 and len(receiver.got) == 2


def test_it_is_given_up_after_a_day(receiver, opened):
    receiver.answers(500)
    AlertCall.objects.update(created_at=clock.now() - timedelta(hours=24))
    alerts_telling.call_batch(patience=None)
    assert the_call().state == "failed"


def test_a_worker_that_is_lost_after_the_claim_leaves_a_call_that_comes_due_again(receiver, opened, monkeypatch):
    class Killed(BaseException):
        pass

    def die(name):
        raise Killed

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr("contacts.chaos.point", die)
        alerts_telling.call_batch()
    assert the_call().state == "calling" and receiver.got == []
    due_again()
    alerts_telling.call_batch(patience=None)
    assert the_call().state == "answered" and len(receiver.got) == 1


def test_the_end_is_not_told_before_the_beginning_was_taken(receiver, opened, look):
    for seconds in (90, 210):
        look(seconds)
    made_just_now()
    receiver.answers(500)
    alerts_telling.call_batch(patience=None)
    AlertCall.objects.filter(state="queued").update(due_at="2020-01-01T00:00:00Z")
    receiver.answers(200)
    while alerts_telling.call_batch(patience=None):
        pass
    assert [got.json["type"] for got in receiver.got] == ["alert.opened", "alert.opened", "alert.closed"]
    assert receiver.got[-1].json["data"]["ended_at"]


def test_two_at_once_make_each_call_once(receiver, look):
    for seconds in (0, 60):
        look(seconds, *(finding(f"{n}") for n in range(6)))
    both = threading.Barrier(2, timeout=20)

    def work():
        try:
            both.wait()
            while alerts_telling.call_batch(patience=None):
                pass
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(receiver.got) == 6
    assert set(AlertCall.objects.values_list("state", "attempts")) == {("answered", 1)}


def test_a_slow_receiver_holds_nobody_up_and_its_answer_is_written_down_later(receiver, opened):
    asked, answer = threading.Event(), threading.Event()

    def slowly(got):
        asked.set()
        answer.wait(10)
        return 200, {}, b""

    receiver.answer = slowly
    assert alerts_telling.call_batch(patience=0)
    assert the_call().state == "calling"  # and here we are
    assert asked.wait(10)
    answer.set()
    for thread in threading.enumerate():
        if thread.name == "alert answers":
            thread.join(10)
    assert the_call().state == "answered"


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/x", "https://169.254.169.254/latest", "https://localhost/x"])
def test_an_address_inside_ones_own_network_is_never_asked(receiver, opened, settings, url):
    settings.WEBHOOK_ALLOWED_HOSTS, settings.ALERT_WEBHOOK_URL = [], url
    alerts_telling.call_batch(patience=None)
    assert the_call().state == "failed" and the_call().reason in ("not_https", "private_address")
    assert receiver.got == []


def test_whoever_takes_the_webhook_away_leaves_calls_that_are_not_made(receiver, opened, settings):
    settings.ALERT_WEBHOOK_URL = ""
    alerts_telling.call_batch(patience=None)
    assert (the_call().state, the_call().reason) == ("failed", "no_url")


def test_a_telling_that_nobody_takes_is_a_finding_itself(receiver, opened):
    assert list(alerts_machines.blind(clock.now())) == []
    receiver.answers(500)
    alerts_telling.call_batch(patience=None)
    long_ago = clock.now() - timedelta(minutes=11)
    AlertCall.objects.update(created_at=long_ago)
    StaffNotice.objects.update(state="rejected", finished_at=clock.now())
    found = {each.key: each.detail for each in alerts_machines.blind(clock.now())}
    assert found["webhook"] == "1 calls of ALERT_WEBHOOK_URL were not taken (status_500)."
    assert found["mail"].endswith("1 were not taken within a day.")
