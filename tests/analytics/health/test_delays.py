"""How long things took: read from the facts, told by the engine, cumulative, each once."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from analytics.health import delays, delays_facts
from analytics.health.delays import BOUNDS_MS, EVENT_TO_ENROLMENT, EVENT_TO_PROVIDER, TIMER, WEBHOOK
from analytics.models import FactCursor, Latency, LatencyDelta, ProviderAnswer
from contacts import clock
from delivery.models import Message, SendLogEntry, WebhookDelivery
from tests import journeys
from tests.journeys import definition, step
from workflows import engine, publishing
from workflows.models import Enrolment, Workflow

pytestmark = pytest.mark.django_db(transaction=True)

LATER = timedelta(minutes=2)


def measure(now: datetime, *, limit: int = 5000) -> int:
    """Batches until nothing is left; how many there were."""
    for turn in range(1, 100):
        with transaction.atomic():
            if not delays_facts.work(now=now, limit=limit):
                return turn
    raise AssertionError("the measuring never came to an end")


def ms(milliseconds: float) -> timedelta:
    return timedelta(milliseconds=milliseconds)


def entered(*, after: timedelta, contacts: int = 1) -> list[int]:
    """Contacts who enter `after` their event was recorded."""
    ids = journeys.contacts(contacts)
    journeys.track(ids, "signed_up", key="first")
    journeys.run()
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE workflow_enrolments e SET entered_at = v.recorded_at + %s FROM contact_events v"
            " WHERE v.id = e.entry_event_id AND e.contact_id = ANY(%s)",
            [after, ids],
        )
    return ids


def accepted(after: timedelta, **fields: object) -> None:
    """All messages were accepted `after` the entry event of their enrolment was recorded."""
    for message in Message.objects.all():
        enrolment = Enrolment.objects.get(pk=message.enrolment_id)
        with connection.cursor() as cursor:
            cursor.execute("SELECT recorded_at FROM contact_events WHERE id = %s", [enrolment.entry_event_id])
            recorded_at = cursor.fetchone()[0]
        SendLogEntry.objects.create(
            **{
                "message": message,
                "contact_id": message.contact_id,
                "channel": "email",
                "kind": "accepted",
                "provider": "sendgrid",
                "provider_code": 202,
                "at": recorded_at + after,
                **fields,
            }
        )


@pytest.fixture
def welcomed():
    journeys.template("welcome")
    steps = {
        "welcome": step("send_email", {"next": "pause"}, template="welcome"),
        "pause": step("wait", {"next": "again"}, mode="duration", **{"for": "P3D"}),
        "again": step("send_email", template="welcome"),
    }
    journeys.publish(definition(steps))


# -- the histogram -----------------------------------------------------------------------------------------------------


def test_a_measurement_lies_in_the_first_bucket_whose_bound_it_does_not_exceed(now):
    delays.note(TIMER, "urgent", [ms(0), ms(10), ms(10.001), ms(25), ms(3_600_000), ms(3_600_001)], now=now)
    read = delays.read()[TIMER, "urgent"]
    assert dict(zip((*BOUNDS_MS, -1), read.counts, strict=True)) == dict.fromkeys(BOUNDS_MS, 0) | {
        10: 2,
        25: 2,
        3_600_000: 1,
        -1: 1,
    }
    assert read.sum_ms == 0 + 10 + 11 + 25 + 3_600_000 + 3_600_001


def test_a_clock_that_ran_backwards_makes_no_negative_delay(now):
    delays.note(TIMER, "urgent", [ms(-5)], now=now)
    read = delays.read()[TIMER, "urgent"]
    assert (read.counts[0], read.sum_ms) == (1, 0)


def test_the_facts_are_put_into_the_same_buckets_as_what_is_told(welcomed):
    """SQL and Python round alike, at each bound and beside it."""
    took = [ms(bound + beside) for bound in BOUNDS_MS for beside in (-1, -0.5, 0, 0.5, 1)]
    now = clock.now()
    WebhookDelivery.objects.bulk_create(
        WebhookDelivery(provider="sendgrid", body=b"", received_at=now, folded_at=now + each) for each in took
    )
    measure(now + LATER)
    delays.note(TIMER, "urgent", took, now=now)
    read = delays.read()
    assert read[WEBHOOK, "webhooks"].counts == read[TIMER, "urgent"].counts
    assert read[WEBHOOK, "webhooks"].sum_ms == read[TIMER, "urgent"].sum_ms


def test_folding_changes_no_number_and_days_stay_apart(now):
    for day in range(3):
        delays.note(TIMER, "urgent", [ms(5), ms(700)], now=now + timedelta(days=day))
        delays.note(TIMER, "urgent", [ms(5)], now=now + timedelta(days=day))
    before = delays.read()
    assert delays.fold() and not delays.fold()
    assert LatencyDelta.objects.count() == 0 and Latency.objects.count() == 6
    assert delays.read() == before
    assert delays.read(since=(now + timedelta(days=1)).date())[TIMER, "urgent"].total == 6


def test_days_long_past_become_one_and_lose_nothing(now):
    for day in (0, 1, 100, 101, 102):
        delays.note(TIMER, "urgent", [ms(5)], now=now - timedelta(days=day))
        delays.fold()
    for _ in range(2):
        with transaction.atomic():
            delays_facts.tidy(now=now)
        delays.fold()
        assert delays.read()[TIMER, "urgent"].total == 5
        days = [now.date() - timedelta(days=day) for day in (100, 1, 0)]
        assert list(Latency.objects.order_by("day").values_list("day", "count")) == [
            (delays.LONG_AGO, 2),
            *((day, 1) for day in days),
        ]


def test_a_quantile_is_read_from_within_its_bucket(now):
    delays.note(TIMER, "urgent", [ms(600)] * 50 + [ms(1500)] * 50, now=now)
    read = delays.read()[TIMER, "urgent"]
    assert read.quantile(0.5) == 1.0
    assert read.quantile(0.75) == 1.5
    assert read.quantile(1) == 2.0
    assert (read.within(1), read.within(2)) == (0.5, 1.0)
    delays.note(TIMER, "urgent", [timedelta(days=1)] * 100, now=now)
    assert delays.read()[TIMER, "urgent"].quantile(0.99) == math.inf
    nothing = delays.read()[TIMER, "bulk"]
    assert (nothing.total, nothing.quantile(0.99), nothing.within(2)) == (0, None, None)


# -- what the facts remember -------------------------------------------------------------------------------------------


def test_from_the_event_to_the_enrolment(welcomed):
    entered(after=ms(70), contacts=3)
    assert delays.read()[EVENT_TO_ENROLMENT, "urgent"].total == 0
    measure(clock.now() + LATER)
    read = delays.read()[EVENT_TO_ENROLMENT, "urgent"]
    assert (read.total, read.counts[BOUNDS_MS.index(100)], read.sum_ms) == (3, 3, 210)


def test_what_is_younger_than_a_minute_is_left_for_later_and_is_then_counted_once(welcomed):
    entered(after=ms(70), contacts=3)
    measure(clock.now())
    assert delays.read()[EVENT_TO_ENROLMENT, "urgent"].total == 0
    for _ in range(3):
        measure(clock.now() + LATER)
    assert delays.read()[EVENT_TO_ENROLMENT, "urgent"].total == 3


def test_many_facts_are_read_in_batches_and_each_once(welcomed):
    entered(after=ms(70), contacts=25)
    assert measure(clock.now() + LATER, limit=10) == 3
    assert delays.read()[EVENT_TO_ENROLMENT, "urgent"].total == 25
    assert FactCursor.objects.get(name=EVENT_TO_ENROLMENT).up_to == Enrolment.objects.latest("id").pk


def test_a_batch_costs_the_same_statements_whatever_its_size(welcomed):
    entered(after=ms(70))
    later = clock.now() + LATER
    with CaptureQueriesContext(connection) as few, transaction.atomic():
        delays_facts.work(now=later)
    ids = [journeys.contact(f"more{n}@example.com").pk for n in range(20)]
    journeys.track(ids, "signed_up", key="more")
    journeys.run()
    later = clock.now() + LATER
    with CaptureQueriesContext(connection) as many, transaction.atomic():
        delays_facts.work(now=later)
    assert len(few) == len(many)


def test_from_the_event_to_the_provider(welcomed):
    entered(after=ms(70), contacts=2)
    accepted(timedelta(seconds=1.4))
    measure(clock.now() + LATER)
    read = delays.read()[EVENT_TO_PROVIDER, "urgent"]
    assert (read.total, read.counts[BOUNDS_MS.index(2000)], read.sum_ms) == (2, 2, 2800)


def test_a_message_behind_a_wait_says_nothing_of_our_speed(welcomed):
    entered(after=ms(70))
    journeys.wake_all()
    journeys.run()
    assert Message.objects.count() == 2
    accepted(timedelta(days=3))
    measure(clock.now() + timedelta(days=4))
    assert delays.read()[EVENT_TO_PROVIDER, "urgent"].total == 1


@pytest.mark.parametrize(
    "meanwhile",
    [("deferred", "quiet_hours"), ("deferred", "frequency_cap"), ("replayed", ""), ("accepted", "reported")],
)
def test_what_people_put_off_or_sent_again_says_nothing_of_our_speed(welcomed, meanwhile):
    kind, reason = meanwhile
    entered(after=ms(70))
    if kind == "accepted":
        accepted(timedelta(hours=5), reason=reason)
    else:
        accepted(timedelta(hours=1), kind=kind, reason=reason, provider="", provider_code=None)
        accepted(timedelta(hours=5))
    measure(clock.now() + timedelta(days=1))
    assert delays.read()[EVENT_TO_PROVIDER, "urgent"].total == 0


def test_a_retry_is_our_delay(welcomed):
    entered(after=ms(70))
    accepted(timedelta(seconds=1), kind="retry", provider_code=503)
    accepted(timedelta(seconds=40))
    measure(clock.now() + LATER)
    assert delays.read()[EVENT_TO_PROVIDER, "urgent"].counts[BOUNDS_MS.index(60000)] == 1


def test_answers_of_providers_are_counted_by_code_and_day(welcomed):
    entered(after=ms(70), contacts=2)
    accepted(timedelta(seconds=1), kind="retry", provider_code=429)
    accepted(timedelta(seconds=2), kind="in_doubt", provider_code=None, reason="timeout")
    accepted(timedelta(seconds=3))
    for _ in range(2):
        measure(clock.now() + LATER)
    assert sorted(ProviderAnswer.objects.values_list("provider", "outcome", "code", "amount")) == [
        ("sendgrid", "accepted", "202", 2),
        ("sendgrid", "in_doubt", "timeout", 2),
        ("sendgrid", "retry", "429", 2),
    ]


def test_answers_of_days_long_past_become_one_and_lose_nothing(now):
    for day in (0, 150, 151):
        ProviderAnswer.objects.create(
            day=now.date() - timedelta(days=day), provider="sendgrid", outcome="retry", code="429", amount=2
        )
    for _ in range(2):
        delays_facts.tidy(now=now)
        assert list(ProviderAnswer.objects.order_by("day").values_list("day", "amount")) == [
            (delays.LONG_AGO, 4),
            (now.date(), 2),
        ]


def test_a_body_that_is_not_folded_yet_holds_the_cursor_and_is_counted_when_it_is(now):
    bodies = [
        WebhookDelivery.objects.create(provider="sendgrid", body=b"", received_at=now, folded_at=now + ms(20))
        for _ in range(3)
    ]
    WebhookDelivery.objects.filter(pk=bodies[1].pk).update(folded_at=None)
    measure(now + LATER)
    assert delays.read()[WEBHOOK, "webhooks"].total == 1
    WebhookDelivery.objects.filter(pk=bodies[1].pk).update(folded_at=now + timedelta(seconds=90))
    measure(now + LATER)
    read = delays.read()[WEBHOOK, "webhooks"]
    assert (read.total, read.counts[BOUNDS_MS.index(25)], read.counts[BOUNDS_MS.index(300000)]) == (3, 2, 1)


def test_two_workers_do_not_measure_the_same(welcomed):
    """Who finds the cursor locked leaves it to whoever has it."""
    entered(after=ms(70), contacts=3)
    later = clock.now() + LATER
    with transaction.atomic():
        assert delays_facts.work(now=later, limit=1)
    measured = delays.read()[EVENT_TO_ENROLMENT, "urgent"].total
    assert measured == 1
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SELECT up_to FROM fact_cursors FOR UPDATE")
            with transaction.atomic():
                assert not delays_facts.work(now=later)
            assert delays.read()[EVENT_TO_ENROLMENT, "urgent"].total == measured
            cursor.execute("ROLLBACK")
    finally:
        other.close()


def test_all_of_it_can_be_measured_anew(welcomed, capsys):
    entered(after=ms(70), contacts=7)
    accepted(timedelta(seconds=1))
    measure(clock.now() + LATER)
    delays.fold()
    delays.note(TIMER, "urgent", [ms(5)], now=clock.now())
    before, answers = delays.read(), ProviderAnswer.objects.get().amount
    Latency.objects.filter(name=EVENT_TO_ENROLMENT).update(count=99)
    FactCursor.objects.update(up_to=3)
    ProviderAnswer.objects.update(amount=1)
    with transaction.atomic():
        delays_facts.begin_again()
    measure(clock.now() + LATER)
    assert delays.read() == before and answers == ProviderAnswer.objects.get().amount == 7
    call_command("rebuild_delays")
    assert "measured" in capsys.readouterr().out


# -- what the engine tells ---------------------------------------------------------------------------------------------


def woken(ago: timedelta) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE workflow_enrolments SET wake_at = now() - %s WHERE state = 'waiting'", [ago])


def test_the_engine_tells_how_late_waits_end_in_one_statement_a_batch(welcomed):
    entered(after=ms(70), contacts=20)
    woken(timedelta(seconds=3))
    with CaptureQueriesContext(connection) as queries:
        assert engine.advance_batch(lane="urgent")
    assert sum("latency_deltas" in query["sql"] for query in queries) == 1
    read = delays.read()[TIMER, "urgent"]
    assert (read.total, read.counts[BOUNDS_MS.index(5000)]) == (20, 20)


def test_steps_without_a_wait_tell_of_no_timer(welcomed):
    journeys.track(journeys.contacts(3), "signed_up")
    with CaptureQueriesContext(connection) as queries:
        journeys.run()
    assert sum("latency_deltas" in query["sql"] for query in queries) == 0


def test_a_batch_that_is_undone_told_nothing(welcomed, monkeypatch):
    entered(after=ms(70))
    woken(timedelta(seconds=3))

    def broken(batch: object) -> None:
        raise ConnectionError

    with monkeypatch.context() as patched:
        patched.setattr("workflows.moves.write", broken)
        engine.advance_batch(lane="urgent")
    assert delays.read()[TIMER, "urgent"].total == 0


def test_what_came_due_in_a_pause_is_late_since_the_end_of_the_pause(welcomed):
    entered(after=ms(70), contacts=2)
    publishing.pause(slug="journey", now=clock.now())
    woken(timedelta(hours=2))
    journeys.run()
    publishing.resume(slug="journey", now=clock.now() - timedelta(seconds=20))
    journeys.run()
    read = delays.read()[TIMER, "urgent"]
    assert (read.total, read.counts[BOUNDS_MS.index(30000)]) == (2, 2)
    assert Workflow.objects.get().status == "live"


def test_instants_are_days_of_utc(now):
    delays.note(TIMER, "urgent", [ms(5)], now=datetime(2026, 3, 4, 23, 59, tzinfo=UTC))
    assert LatencyDelta.objects.get().day.isoformat() == "2026-03-04"
