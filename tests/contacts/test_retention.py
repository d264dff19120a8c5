"""What goes, and what stays: keys, quarantine, tallies, months of the log."""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import connection, transaction

from contacts import partitions, quarantine, retention, tallies, tasks
from contacts.models import ContactEvent, EventKey, IntakeTally, PendingEvent, QuarantinedEvent
from contacts.quarantine import Refused
from tests.contacts.conftest import await_events, event, record
from workflows import retention as workflow_retention
from workflows.models import ProcessedTrigger

pytestmark = pytest.mark.django_db

NOW = datetime(2031, 6, 15, 12, tzinfo=UTC)


@pytest.fixture
def months():
    """The months from January to July 2031."""
    partitions.make_ahead(now=datetime(2031, 1, 1, tzinfo=UTC), months=7)


def there() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT relid::text FROM pg_partition_tree('contact_events') WHERE relid::text ~ '_2031_'")
        return sorted(name.removeprefix("contact_events_2031_") for (name,) in cursor.fetchall())


def at(month: int, day: int = 10) -> datetime:
    return datetime(2031, month, day, tzinfo=UTC)


def matched() -> None:
    """As if intake had taken everything."""
    PendingEvent.objects.all().delete()


def test_months_that_lie_wholly_before_are_dropped_with_their_events(months, settings):
    settings.EVENT_RETENTION = "P90D"  # from 17 March
    await_events("in_1", "in_2")
    for month in (1, 2, 3, 6):
        record(event("ada", f"in_{month}"), now=at(month))
    matched()
    while retention.tidy(now=NOW):
        pass
    assert there() == ["03", "04", "05", "06", "07"]
    assert sorted(ContactEvent.objects.values_list("type", flat=True)) == ["in_3", "in_6"]


def test_by_itself_nothing_of_the_log_goes(months, settings):
    assert settings.EVENT_RETENTION == ""
    record(event("ada"), now=at(1))
    while retention.tidy(now=NOW):
        pass
    assert len(there()) == 7
    assert ContactEvent.objects.count() == 1


def test_the_month_of_an_event_that_was_not_matched_stays_and_so_do_the_later_ones(months, settings):
    settings.EVENT_RETENTION = "P30D"
    await_events("signed_up")
    record(event("ada"), now=at(2))
    while retention.tidy(now=NOW):
        pass
    assert there() == ["02", "03", "04", "05", "06", "07"]


def test_the_running_month_is_never_dropped(months, settings):
    settings.EVENT_RETENTION = "PT1S"
    while retention.tidy(now=NOW):
        pass
    assert there() == ["06", "07"]


def test_events_of_a_month_that_was_not_made_go_one_by_one(settings):
    settings.EVENT_RETENTION = "P30D"
    await_events("31_days", "400_days")
    for days in (10, 29, 31, 400):
        record(event("ada", f"{days}_days"), now=NOW - timedelta(days=days))
    PendingEvent.objects.exclude(recorded_at=NOW - timedelta(days=31)).delete()
    while retention.tidy(now=NOW):
        pass
    assert sorted(ContactEvent.objects.values_list("type", flat=True)) == ["10_days", "29_days", "31_days"]
    with connection.cursor() as cursor:
        cursor.execute("SHOW carillon.guarded_path")
        assert cursor.fetchone()[0] == "off"


@pytest.mark.django_db(transaction=True)
def test_whoever_uses_the_log_is_not_made_to_wait_for_long(settings, caplog, monkeypatch):
    monkeypatch.setattr(retention, "LOCK_WAIT", "50ms")
    settings.EVENT_RETENTION = "P90D"
    long_ago = datetime(2020, 6, 15, tzinfo=UTC)  # the months that other tests need lie later
    partitions.make_ahead(now=datetime(2020, 1, 1, tzinfo=UTC), months=1)
    reading, done = threading.Event(), threading.Event()

    def read() -> None:
        try:
            with transaction.atomic():
                ContactEvent.objects.count()
                reading.set()
                done.wait(20)
        finally:
            connection.close()

    reader = threading.Thread(target=read)
    reader.start()
    try:
        assert reading.wait(20)
        with caplog.at_level(logging.WARNING):
            assert retention.tidy(now=long_ago) is False
    finally:
        done.set()
        reader.join()
    assert "contact_events_2020_01 could not be dropped" in caplog.text
    assert partitions.ended_before(long_ago) == ["contact_events_2020_01"]
    retention.tidy(now=long_ago)
    assert partitions.ended_before(long_ago) == []


def test_only_months_are_dropped():
    with pytest.raises(AssertionError), transaction.atomic():
        partitions.drop("contact_events_unplanned")


def test_keys_triggers_quarantine_and_tallies_go_with_their_age(settings, monkeypatch):
    settings.EVENT_KEY_RETENTION, settings.QUARANTINE_RETENTION = "P90D", "P7D"
    settings.TIME_SPEED = 1000.0
    monkeypatch.setattr(retention, "AT_ONCE", 2)
    monkeypatch.setattr(workflow_retention, "AT_ONCE", 2)
    monkeypatch.setattr("contacts.tasks.clock.now", lambda: NOW)
    monkeypatch.setattr("workflows.tasks.clock.now", lambda: NOW)
    for number in range(6):
        key, seen = bytes([number]), NOW - timedelta(days=85 + 2 * number)
        EventKey.objects.create(key_hash=key, recorded_at=seen)
        ProcessedTrigger.objects.create(key_hash=key, event_id=number, processed_at=seen)
        quarantine.write([Refused("api", "", str(number), [])], now=NOW - timedelta(days=4 + number))
        tallies.count({"accepted": 1}, source="api", now=NOW - timedelta(days=200 * number))
    tallies.fold()
    tasks.tidy()
    from workflows.tasks import tidy

    tidy()
    assert EventKey.objects.count() == ProcessedTrigger.objects.count() == 3
    assert sorted(QuarantinedEvent.objects.values_list("raw", flat=True)) == ["0", "1", "2", "3"]
    assert IntakeTally.objects.count() == 3


def test_empty_settings_keep_for_ever(settings):
    settings.EVENT_KEY_RETENTION = settings.QUARANTINE_RETENTION = ""
    EventKey.objects.create(key_hash=b"1", recorded_at=NOW - timedelta(days=9000))
    ProcessedTrigger.objects.create(key_hash=b"1", event_id=1, processed_at=NOW - timedelta(days=9000))
    quarantine.write([Refused("api", "", "1", [])], now=NOW - timedelta(days=9000))
    assert not retention.tidy(now=NOW)
    assert not workflow_retention.prune_triggers(now=NOW)
    assert EventKey.objects.count() == ProcessedTrigger.objects.count() == QuarantinedEvent.objects.count() == 1


def test_keys_that_are_forgotten_too_early_fail_the_check(settings):
    settings.EVENT_TRIGGER_MAX_AGE, settings.EVENT_KEY_RETENTION = "P30D", "P29D"
    with pytest.raises(SystemCheckError, match="E023"):
        call_command("check", tags=["carillon"])
    for enough in ("P30D", "PT720H", ""):
        settings.EVENT_KEY_RETENTION = enough
        call_command("check", tags=["carillon"])
    settings.EVENT_RETENTION = "a year"
    with pytest.raises(SystemCheckError, match="EVENT_RETENTION"):
        call_command("check", tags=["carillon"])
