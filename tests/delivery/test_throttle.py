"""The bucket of tokens: never faster than the rate, shared, fair to the urgent lane, and there without Redis."""

from __future__ import annotations

import time

import pytest
import redis

from contacts import redis_index
from delivery import sending
from delivery.rates import throttle
from tests.delivery import making


@pytest.fixture(autouse=True)
def fresh_buckets():
    throttle._local.cache_clear()


def test_an_empty_bucket_says_how_long_to_wait(settings):
    settings.ESP_RATE_LIMIT = 1
    assert throttle.take("sendgrid", 500, lane="urgent") == throttle.Grant(1)
    refused = throttle.take("sendgrid", 500, lane="urgent")
    assert refused.count == 0 and 0 < refused.wait <= 1


def test_a_full_bucket_holds_a_tenth_of_a_second(settings):
    settings.ESP_RATE_LIMIT = 100
    assert throttle.take("sendgrid", 500, lane="urgent").count == 10


def test_over_time_no_more_is_granted_than_the_rate(settings):
    settings.ESP_RATE_LIMIT = 200
    began, granted = time.monotonic(), 0
    while time.monotonic() - began < 0.3:
        granted += throttle.take("sendgrid", 50, lane="urgent").count
        time.sleep(0.005)
    assert 20 < granted <= 20 + 200 * (time.monotonic() - began) + 1


def test_what_was_not_used_is_given_back(settings):
    settings.ESP_RATE_LIMIT = 50
    assert throttle.take("sendgrid", 5, lane="urgent").count == 5
    throttle.give_back("sendgrid", 3)
    assert throttle.take("sendgrid", 5, lane="urgent").count >= 3


def test_giving_back_never_fills_more_than_the_bucket(settings):
    settings.ESP_RATE_LIMIT = 100
    throttle.give_back("sendgrid", 1000)
    assert throttle.take("sendgrid", 1000, lane="urgent").count == 10


def test_the_bulk_lane_leaves_something_for_the_urgent_one(settings):
    settings.ESP_RATE_LIMIT = 100
    assert throttle.take("sendgrid", 100, lane="bulk").count == 5
    assert throttle.take("sendgrid", 100, lane="urgent").count >= 5


def test_the_slowest_rate_still_serves_both_lanes(settings):
    settings.ESP_RATE_LIMIT = 1
    assert throttle.take("sendgrid", 1, lane="bulk").count == 1


def test_providers_have_buckets_of_their_own(settings):
    settings.ESP_RATE_LIMIT = 10
    assert throttle.take("sendgrid", 1, lane="urgent").count == 1
    assert throttle.take("other", 1, lane="urgent").count == 1


def test_without_redis_the_process_keeps_to_the_rate_by_itself(settings, monkeypatch):
    settings.ESP_RATE_LIMIT = 1

    def away(**_: object) -> None:
        raise redis.ConnectionError

    monkeypatch.setattr(throttle, "_script", lambda: away)
    assert throttle.take("sendgrid", 500, lane="urgent") == throttle.Grant(1)
    refused = throttle.take("sendgrid", 500, lane="urgent")
    assert refused.count == 0 and 0 < refused.wait <= 1
    throttle.give_back("sendgrid", 4)
    assert throttle.take("sendgrid", 500, lane="urgent").count == 1


def test_an_emptied_redis_starts_with_a_full_bucket(settings):
    settings.ESP_RATE_LIMIT = 100
    throttle.take("sendgrid", 500, lane="urgent")
    redis_index.connection().delete(redis_index.key("throttle:sendgrid"))
    assert throttle.take("sendgrid", 500, lane="urgent").count == 10


@pytest.mark.django_db(transaction=True)
def test_the_provider_sees_no_more_than_the_rate(esp, settings):
    settings.ESP_RATE_LIMIT = 40
    version = making.template()
    making.enqueue(*[making.request(who, version) for who in making.contacts(30)])
    began = time.monotonic()
    making.deliver()
    assert len(esp.received) == 30
    assert max(each.at for each in esp.received) - began >= (30 - 4) / 40 - 0.05  # all but the bucket's own four


@pytest.mark.django_db
def test_the_sandbox_is_not_throttled(settings):
    settings.ESP_RATE_LIMIT = 1
    version = making.template()
    messages = making.enqueue(*[making.request(who, version) for who in making.contacts(30)])
    assert sending.deliver_batch("urgent") is True
    assert set(making.states(messages)) == {"accepted"}


def test_each_provider_has_the_rate_that_the_settings_give_it(settings):
    settings.ESP_RATE_LIMIT, settings.PROVIDER_RATES = 100, {"other": 20.0}
    assert throttle.take("sendgrid", 500, lane="urgent").count == 10
    assert throttle.take("other", 500, lane="urgent").count == 2


def test_time_that_runs_faster_makes_no_provider_faster(settings):
    settings.ESP_RATE_LIMIT, settings.TIME_SPEED = 1, 10_000.0
    throttle.take("sendgrid", 1, lane="urgent")
    time.sleep(0.05)
    assert throttle.take("sendgrid", 1, lane="urgent").count == 0


@pytest.mark.parametrize("is_redis_there", [True, False])
def test_a_provider_that_asks_us_to_wait_is_not_called_meanwhile(settings, monkeypatch, is_redis_there):
    settings.ESP_RATE_LIMIT = 100

    def away() -> None:
        raise redis.ConnectionError

    with monkeypatch.context() as patch:
        if not is_redis_there:
            patch.setattr(redis_index, "connection", away)
        throttle.hold("sendgrid", 0.3)
        throttle.hold("sendgrid", 0.1)  # the longer one stays
        refused = throttle.take("sendgrid", 5, lane="urgent")
        assert refused.count == 0 and 0.2 < refused.wait <= 0.3
        assert throttle.take("other", 5, lane="urgent").count == 5
        time.sleep(0.32)
        assert throttle.take("sendgrid", 5, lane="urgent").count == 5


@pytest.mark.django_db
def test_a_sending_domain_has_a_rate_of_its_own_and_transactional_mail_of_another_one_flows(settings):
    settings.SENDING_DOMAIN_RATES = {"carillon.example": 20.0}
    settings.EMAIL_FROM_TRANSACTIONAL = "receipts@pay.example"
    version = making.template()
    marketing = making.enqueue(*[making.request(who, version) for who in making.contacts(10)])
    receipts = making.enqueue(
        *[making.request(who, version, message_class="transactional") for who in making.contacts(10)]
    )
    sending.deliver_batch("urgent")
    assert making.states(marketing).count("accepted") == 2
    assert set(making.states(receipts)) == {"accepted"}
    assert {mail.headers["From"] for mail in making.mails(receipts[0])} == {"Carillon <receipts@pay.example>"}


@pytest.mark.django_db
def test_tokens_of_a_domain_that_were_not_used_come_back(settings):
    settings.SENDING_DOMAIN_RATES = {"carillon.example": 100.0}
    message = making.message()
    sending.deliver_batch("urgent")
    assert making.state(message) == "accepted"
    assert throttle.take(throttle.of_domain("carillon.example"), 100, lane="urgent").count >= 9


@pytest.mark.django_db
def test_the_sandbox_has_a_rate_where_somebody_gives_it_one(settings):
    settings.PROVIDER_RATES = {"sandbox": 30.0}
    version = making.template()
    messages = making.enqueue(*[making.request(who, version) for who in making.contacts(10)])
    sending.deliver_batch("urgent")
    assert making.states(messages).count("accepted") == 3
