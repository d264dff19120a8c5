"""A journey calls the servers of others so many times a minute; what is more waits for its turn, and delays nobody."""

from __future__ import annotations

from datetime import timedelta

import pytest
import redis
from django.db import connection
from django.test.utils import CaptureQueriesContext

from analytics.health import alerts_sources
from contacts import clock, redis_index
from delivery.rates import pacing
from tests import journeys
from tests.journeys import definition, step
from tests.receiver import receiving
from workflows.errands import call_turns, webhook_calls
from workflows.models import Enrolment, WebhookCall

pytestmark = pytest.mark.django_db(transaction=True)
AT_ONCE = 2


@pytest.fixture
def receiver(settings):
    settings.WEBHOOK_ALLOWED_HOSTS = ["127.0.0.1"]
    settings.WEBHOOK_TIMEOUT_SECONDS = 5.0
    settings.WEBHOOK_CALLS_PER_MINUTE = 1  # an urgent journey has two lines, so AT_ONCE may be called now
    with receiving() as found:
        yield found


def people(slug: str, count: int, url: str) -> list[int]:
    journeys.publish(
        definition(
            {"call": step("call_webhook", url=url)}, slug=slug, entry={"trigger": {"type": "event", "event": slug}}
        )
    )
    ids = [journeys.contact(f"{slug}{n}@example.com").pk for n in range(count)]
    journeys.track(ids, slug)
    journeys.run()
    return ids


def work() -> None:
    while webhook_calls.call_batch("urgent", patience=None):
        pass
    journeys.run()


def held() -> list[WebhookCall]:
    return list(WebhookCall.objects.filter(state="queued", reason=call_turns.HELD).order_by("due_at"))


def the_turn_comes() -> None:
    """As time would: everything was due a little ago."""
    WebhookCall.objects.filter(state="queued").update(due_at=clock.now() - timedelta(seconds=1))


def test_what_is_more_than_a_journey_may_call_waits_in_line_and_is_made_when_its_turn_comes(receiver):
    people("eager", 12, receiver.url)
    before = clock.now()
    work()
    waiting = held()
    assert (len(receiver.got), len(waiting)) == (AT_ONCE, 12 - AT_ONCE)
    assert all(call.attempts == 0 and call.lease_until is None for call in waiting)
    # a minute each, but for the two that went at once and the second that a line lets go unused
    assert waiting[-1].due_at >= before + timedelta(minutes=12 - AT_ONCE - 1)
    work()
    assert len(receiver.got) == AT_ONCE  # nobody is called before their turn
    the_turn_comes()
    work()
    assert len(receiver.got) == 12 and len({got.headers["webhook-id"] for got in receiver.got}) == 12
    assert set(Enrolment.objects.values_list("state", flat=True)) == {"completed"}
    assert set(WebhookCall.objects.values_list("state", "reason", "attempts")) == {("answered", "", 1)}


def test_another_journey_is_not_held_up(receiver):
    people("eager", 12, receiver.url)
    calm = people("calm", 1, f"{receiver.url}/calm")
    work()
    assert [got.path for got in receiver.got].count("/calm") == 1
    assert journeys.enrolment(calm[0], "calm").state == "completed"
    assert {call.workflow_id for call in held()} == {Enrolment.objects.filter(workflow__slug="eager")[0].workflow_id}


def test_who_waits_for_a_turn_is_not_given_up_while_it_lasts(receiver):
    people("eager", 12, receiver.url)
    work()
    last = held()[-1]
    WebhookCall.objects.filter(pk=last.pk).update(due_at=clock.now() + timedelta(hours=2))
    long_ago = clock.now() - timedelta(hours=3)
    Enrolment.objects.filter(pk=last.enrolment_id).update(waiting_since=long_ago, wake_at=long_ago)
    journeys.run()
    waiting = Enrolment.objects.get(pk=last.enrolment_id)
    assert waiting.state == "waiting" and waiting.wake_at > clock.now() + timedelta(hours=2)
    the_turn_comes()
    work()
    assert Enrolment.objects.get(pk=last.enrolment_id).state == "completed" and len(receiver.got) == 12


def test_who_comes_long_after_the_turn_asks_again(now):
    assert call_turns.has_turn(call_turns.HELD, now - timedelta(seconds=5), now)
    assert not call_turns.has_turn(call_turns.HELD, now - timedelta(minutes=5), now)
    assert not call_turns.has_turn("status_500", now, now)


def test_without_redis_each_process_keeps_the_rate_by_itself(receiver, monkeypatch):
    def away() -> None:
        raise redis.ConnectionError

    people("eager", 12, receiver.url)
    with monkeypatch.context() as patch:
        patch.setattr(redis_index, "connection", away)
        patch.setattr(pacing, "_silence", {"until": 0.0})
        patch.setattr(pacing, "_lines", {})
        assert webhook_calls.call_batch("urgent", patience=None)
    assert (len(receiver.got), len(held())) == (AT_ONCE, 12 - AT_ONCE)


def test_a_backlog_that_lasts_is_an_alert(receiver):
    people("eager", AT_ONCE + 1, receiver.url)
    work()
    now = clock.now()
    assert call_turns.lasting(now=now) == [] and list(alerts_sources.slow_calls(now)) == []
    WebhookCall.objects.filter(pk=held()[-1].pk).update(due_at=now + timedelta(minutes=30))
    (backlog,) = call_turns.lasting(now=now)
    assert (backlog.slug, backlog.calls) == ("eager", 1)
    (finding,) = alerts_sources.slow_calls(now)
    assert finding.title == "eager wants to call other servers faster than it may"
    assert finding.detail == "Waiting for their turn: 1, the last for 30 min."


def test_a_claim_costs_one_statement_more_where_somebody_waits_and_none_where_nobody_does(receiver, settings):
    settings.WEBHOOK_CALLS_PER_MINUTE = 60_000
    costs = []
    for slug, count in (("one", 2), ("two", 2), ("three", 30)):
        people(slug, count, receiver.url)
        settings.WEBHOOK_CALLS_PER_MINUTE = 1 if slug == "three" else 60_000
        with CaptureQueriesContext(connection) as queries:
            webhook_calls._claim("urgent", 50, clock.now())
        costs.append(len(queries))
        WebhookCall.objects.all().delete()
    assert costs[1:] == [costs[0], costs[0] + 1]
