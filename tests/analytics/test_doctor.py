"""The doctor finds what is planted, mends what can be mended, and says so by the exit code."""

import re
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connection
from redis import ConnectionError as RedisAway

from analytics.models import Alert, CounterDelta
from contacts import clock
from contacts.models import AwaitedEvent, PendingEvent
from delivery.models import Address, Message, OutboxEntry
from scoring.models import ScoreCheck

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def visit(capsys):
    """Runs the doctor; returns the exit code and what it said of each thing."""

    def run(**options):
        try:
            call_command("doctor", **options)
            code = 0
        except SystemExit as left:
            code = left.code
        lines = [line.split("  ", 1) for line in capsys.readouterr().out.splitlines()]
        return code, {name: (state, said) for state, rest in lines for name, said in [rest.strip().split(": ", 1)]}

    return run


def test_a_healthy_house_is_healthy(lived, visit):
    code, said = visit()
    assert code == 0
    assert list(said) == [
        "PostgreSQL", "Redis", "broker", "partitions", "freezes", "leases", "enrolments", "queues", "awaited events",
        "brake", "books", "post office", "tallies of the post", "lifecycle stages", "audit log",
    ]  # fmt: skip
    assert {state for state, _ in said.values()} == {"ok"}


def test_a_counter_that_is_wrong_is_found_and_mended(lived, visit):
    CounterDelta.objects.filter(metric="left:yes").delete()
    code, said = visit()
    assert code == 1 and said["books"][0] == "FAIL"
    version = f"in version {lived.live_version_id}"
    assert re.fullmatch(rf"counter journey vip left:yes of [0-9-]+ {version}: 0 against 2", said["books"][1])
    code, said = visit(fix=True)
    assert code == 0 and said["books"] == ("ok", "mended")
    assert visit()[0] == 0


def test_a_workflow_whose_events_are_not_queued_is_found_and_mended(lived, visit):
    AwaitedEvent.objects.all().delete()
    code, said = visit()
    assert code == 1 and said["awaited events"] == ("FAIL", "journey waits for events that are not queued")
    code, said = visit(fix=True)
    assert code == 0 and said["awaited events"] == ("ok", "mended")


def test_a_lost_message_is_found_and_is_for_people_to_mend(lived, visit):
    OutboxEntry.objects.filter(pk=OutboxEntry.objects.last().pk).delete()
    code, said = visit(fix=True)
    assert code == 1 and said["books"] == ("FAIL", "post journey: 1 against 0; messages: 6 against 5")


def test_open_alerts_are_listed_and_decide_nothing(lived, visit):
    now = clock.now()
    given = {"severity": "critical", "title": "x", "said": "12 wait.", "began_at": now, "seen_at": now}
    Alert.objects.create(source="queues", key="queues:urgent:events", opened_at=now, **given)
    Alert.objects.create(source="queues", key="queues:bulk:events", opened_at=None, **given)
    code, said = visit()
    assert code == 0
    state, words = said["alert queues:urgent:events"]
    assert state == "note" and words.startswith("critical, open since ") and words.endswith(": 12 wait.")
    assert "alert queues:bulk:events" not in said


def test_a_missing_partition_is_found_and_made(visit):
    next_month = clock.now().replace(day=1) + timedelta(days=32)
    name = f"contact_events_{next_month:%Y_%m}"
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE {name}")
    code, said = visit()
    assert code == 1 and said["partitions"] == ("FAIL", f"{name} is missing")
    assert visit(fix=True)[1]["partitions"] == ("ok", "mended")


def test_a_stuck_lease_is_found_and_ended(lived, visit):
    entry = OutboxEntry.objects.first()
    long_ago = clock.now() - timedelta(minutes=5)
    address = Address.objects.create(channel="email", key_hash=b"1", created_at=long_ago)
    OutboxEntry.objects.filter(pk=entry.pk).update(
        state="sending", claimed_at=long_ago, lease_until=long_ago, address_id=address.pk
    )
    code, said = visit()
    assert code == 1 and said["leases"] == ("FAIL", "1 messages are being sent by nobody")
    code, said = visit(fix=True)
    assert said["leases"] == ("ok", "mended")
    assert OutboxEntry.objects.get(pk=entry.pk).state == "in_doubt"
    assert Message.objects.count() == 6


def test_work_that_nobody_was_rung_for_is_found_and_rung_for(visit, monkeypatch):
    rung = set()
    monkeypatch.setattr("contacts.doorbell.ring", lambda task, lane: rung.add((task, lane)))
    long_ago = clock.now() - timedelta(minutes=5)
    PendingEvent.objects.create(event_id=1, recorded_at=long_ago, lane="urgent", shard=0)
    ScoreCheck.objects.create(contact_id=1, check_at=long_ago)
    code, said = visit()
    assert code == 1 and rung == set()
    assert said["queues"][1].startswith("1 events wait in urgent, the oldest for 300 s; 1 scores wait in urgent")
    visit(fix=True)
    assert rung == {("workflows.intake", "urgent"), ("scoring.check", "urgent")}


def test_a_service_that_is_away_is_a_finding_and_no_crash(visit, monkeypatch):
    class Away:
        def __getattr__(self, name):
            raise RedisAway("redis://user:secret@host")

    with monkeypatch.context() as patched:
        patched.setattr("contacts.redis_index.connection", Away)
        code, said = visit()
    assert code == 1 and said["Redis"] == ("FAIL", "redis.exceptions.ConnectionError")
    assert said["books"][0] == "ok"
