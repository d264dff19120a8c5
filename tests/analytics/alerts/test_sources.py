"""What the observatory's own sources find when it is planted, and that they say nothing in a healthy house."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection

from analytics.counting import reconcile
from analytics.health import alerts, alerts_looking, alerts_machines, alerts_sources, delays
from analytics.health.alerts import CRITICAL, WARNING
from analytics.models import AlertWatch, CounterDelta
from analytics.pages import runbook
from contacts import clock, heartbeat, redis_index, transactions
from contacts.models import PendingEvent
from delivery.models import Provider, SendingDomain
from workflows.models import DeadLetter, EnrolmentBrake

pytestmark = pytest.mark.django_db(transaction=True)


def found(look) -> dict[str, tuple[str, str]]:
    return {each.key: (each.severity, each.detail) for each in look(clock.now())}


@pytest.fixture
def beating(settings):
    hearts = [heartbeat.Heartbeat(name) for name in settings.HEARTBEATS]
    for heart in hearts:
        heart.beat()


def test_a_healthy_house_says_nothing(lived, beating):
    while alerts_looking.look_once():
        pass
    watches = AlertWatch.objects.in_bulk()
    assert {watch.problem for watch in watches.values()} == {""}
    assert set(watches) == {source.name for source in alerts.sources()}
    for source in alerts.sources():
        assert list(source.look(clock.now())) == [], source.name


def test_every_source_says_what_to_do_in_the_runbook():
    known = {section.anchor for section in runbook.read()}
    assert {source.name for source in alerts.sources()} <= known
    assert all(section.blocks for section in runbook.read())


def test_a_queue_that_is_late():
    long_ago = clock.now() - timedelta(minutes=5)
    PendingEvent.objects.create(event_id=1, recorded_at=long_ago, lane="urgent", shard=0)
    PendingEvent.objects.create(event_id=2, recorded_at=long_ago, lane="bulk", shard=0)
    severity, detail = found(alerts_sources.late_queues)["urgent:events"]
    assert severity == CRITICAL and detail.startswith("1 wait, the oldest for 3")
    assert "bulk:events" not in found(alerts_sources.late_queues)


def test_a_counter_that_is_wrong(lived):
    CounterDelta.objects.filter(metric="left:yes").delete()
    assert found(alerts_sources.unbalanced) == {}  # nobody has counted again yet
    transactions.run(lambda now: reconcile.check([lived.pk], now=now))
    ((key, (severity, detail)),) = found(alerts_sources.unbalanced).items()
    assert "left:yes" in key and severity == CRITICAL and detail == "0 on one side, 2 on the other."


def test_failed_steps_by_workflow(lived):
    for enrolment_id in (1, 2):
        DeadLetter.objects.create(
            enrolment_id=enrolment_id, workflow_id=lived.pk, version_id=1, contact_id=1, step="x", seq=1,
            category="transient", error="Boom", attempts=3, failed_at=clock.now() - timedelta(hours=2),
        )  # fmt: skip
    severity, detail = found(alerts_sources.failures)["journey"]
    assert severity == WARNING and detail.startswith("2 people stand still at 1 of its steps")
    assert found(alerts_sources.late_queues) == {}  # not told of twice


def test_a_brake_a_stopped_provider_and_a_braked_domain(lived):
    now = clock.now()
    EnrolmentBrake.objects.create(workflow=lived, braked_at=now, rate=5000, usual=100)
    assert found(alerts_sources.brakes)["journey"][0] == CRITICAL
    Provider.objects.update_or_create(name="sandbox", defaults={"stopped_at": now, "stopped_why": "401"})
    SendingDomain.objects.create(domain="news.example", created_at=now, braked_at=now, braked_why={"reason": "x"})
    assert found(alerts_sources.post).keys() == {"provider:sandbox", "brake:news.example"}
    assert {severity for severity, _ in found(alerts_sources.post).values()} == {CRITICAL}


def test_what_the_doctor_finds():
    next_month = clock.now().replace(day=1) + timedelta(days=32)
    name = f"contact_events_{next_month:%Y_%m}"
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {name} RENAME TO hidden")
        try:
            assert found(alerts_sources.quick_findings)["partitions"] == (WARNING, f"{name} is missing.")
        finally:
            cursor.execute(f"ALTER TABLE hidden RENAME TO {name}")


def test_a_worker_that_is_not_heard_of(beating):
    assert found(alerts_machines.silent) == {}
    redis_index.connection().delete(redis_index.key("heartbeat:lane bulk"))
    assert found(alerts_machines.silent)["lane:bulk"][0] == CRITICAL


def test_a_transaction_that_does_not_end():
    assert found(alerts_machines.strained) == {}
    later = clock.now() + timedelta(minutes=10)
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("BEGIN; SELECT 1")
        (only,) = [each for each in alerts_machines.strained(later) if each.key.startswith("transaction:")]
        assert only.severity == WARNING and only.detail.startswith("1 transaction is open, the oldest for 10 min")
        assert next(iter(alerts_machines.strained(later + timedelta(minutes=30)))).severity == CRITICAL
    finally:
        other.close()


def test_a_promise_that_is_not_kept_lately():
    """What was slow before is not told of, nor what is too little to tell."""
    redis_index.connection().delete(redis_index.key("alerts:delays"))
    start = clock.now()

    def measure(count: int, seconds: float, after: int) -> dict:
        delays.note(delays.TIMER, "urgent", [timedelta(seconds=seconds)] * count, now=start)
        return {each.key: each.detail for each in alerts_machines.slow(start + timedelta(minutes=after))}

    assert measure(1000, 9.0, 0) == {}
    assert measure(500, 0.1, 11) == {}
    assert measure(90, 9.0, 22) == {}
    assert measure(110, 9.0, 25) == {"urgent:timer": "Of the last 200, 100.0% took longer than 2 s."}
    assert measure(30_000, 0.1, 26) == {}


def test_soon_after_a_start_it_is_told_what_was_late_since_the_first_look():
    redis_index.connection().delete(redis_index.key("alerts:delays"))
    start = clock.now()

    def measure(count: int, seconds: float, after: int) -> dict:
        delays.note(delays.WEBHOOK, "webhooks", [timedelta(seconds=seconds)] * count, now=start)
        return {each.key: each.detail for each in alerts_machines.slow(start + timedelta(minutes=after))}

    assert measure(5000, 9.0, 0) == {}  # there is nothing to compare with yet
    assert measure(150, 9.0, 1) == {"webhooks:webhook": "Of the last 150, 100.0% took longer than 2 s."}
    assert measure(50, 0.1, 9) == {"webhooks:webhook": "Of the last 200, 75.0% took longer than 2 s."}
    assert measure(150, 0.1, 12) == {}  # those of the first minute are no longer lately


def test_a_source_that_cannot_look_for_long_is_a_finding():
    since = clock.now() - timedelta(minutes=11)
    AlertWatch.objects.create(name="books", failing_since=since, problem="django.db.utils.OperationalError")
    assert found(alerts_machines.blind)["blind:books"][1].endswith("what it would find stays unknown.")
