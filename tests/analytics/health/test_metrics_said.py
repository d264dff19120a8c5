"""What /metrics says of the house, of delays and of the post, and that it stays cheap."""

from __future__ import annotations

from datetime import timedelta

import pytest
import redis
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from prometheus_client.parser import text_string_to_metric_families

from analytics.counting import counters
from analytics.health import delays, metrics_work
from analytics.models import Counter, ProviderAnswer, WarehouseRun
from contacts import clock
from contacts.heartbeat import Heartbeat
from delivery.models import PostTally
from tests import journeys

pytestmark = pytest.mark.django_db(transaction=True)


def said(client) -> dict[tuple[str, ...], float]:
    """Every sample by its name and the values of its labels, in the order of the labels' names."""
    answer = client.get("/metrics")
    assert answer.status_code == 200
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.content.decode())
        for sample in family.samples
    }


def test_histograms_are_cumulative_and_end_in_all(client, now):
    took = [timedelta(milliseconds=value) for value in (5, 20, 20, 3000, 4_000_000)]
    delays.note(delays.TIMER, "urgent", took, now=now)
    delays.fold()
    delays.note(delays.TIMER, "urgent", took[:1], now=now)
    read = said(client)
    name = "carillon_timer_lateness_seconds"
    bounds = ["0.01", "0.025", "2.0", "5.0", "3600.0", "+Inf"]
    assert [read[f"{name}_bucket", "urgent", bound] for bound in bounds] == [2, 4, 4, 5, 5, 6]
    assert read[f"{name}_count", "urgent"] == 6
    assert read[f"{name}_sum", "urgent"] == 4003.05
    assert read[f"{name}_count", "bulk"] == 0


def test_every_histogram_never_falls_from_bound_to_bound(client, now):
    for name in delays.NAMES:
        for lane in delays.LANES_OF[name]:
            delays.note(name, lane, [timedelta(milliseconds=17**n) for n in range(7)], now=now)
    families = text_string_to_metric_families(client.get("/metrics").content.decode())
    histograms = [family for family in families if family.type == "histogram"]
    assert len(histograms) == 4
    for family in histograms:
        for lane in ("urgent", "bulk", "webhooks"):
            mine = [sample for sample in family.samples if sample.labels.get("lane") == lane]
            buckets = [sample.value for sample in mine if sample.name.endswith("_bucket")]
            counts = [sample.value for sample in mine if sample.name.endswith("_count")]
            assert buckets == sorted(buckets) and buckets[-1:] == counts


def test_a_worker_that_beats_is_up_and_one_that_does_not_is_down(client, settings):
    settings.HEARTBEATS = ["lane urgent", "dispatcher"]
    Heartbeat("lane urgent").beat()
    read = said(client)
    assert (read["carillon_worker_up", "lane urgent"], read["carillon_worker_up", "dispatcher"]) == (1, 0)
    assert read["carillon_redis_up",] == 1


def test_without_redis_the_numbers_are_told_all_the_same(lived, client, monkeypatch):
    class Away:
        def __getattr__(self, name):
            raise redis.ConnectionError

    with monkeypatch.context() as patched:
        patched.setattr("contacts.redis_index.connection", Away)
        read = said(client)
    assert read["carillon_redis_up",] == 0 and read["carillon_enrolments_entered_total",] == 6
    assert not [key for key in read if key[0] == "carillon_worker_up"]


def test_answers_of_providers_are_told_by_their_code(client, now):
    for day in (0, 200):
        ProviderAnswer.objects.create(
            day=(now - timedelta(days=day)).date(), provider="sendgrid", outcome="retry", code="429", amount=3
        )
    assert said(client)["carillon_provider_answers_total", "429", "retry", "sendgrid"] == 6
    code = next(
        sample.labels["code"]
        for family in text_string_to_metric_families(client.get("/metrics").content.decode())
        for sample in family.samples
        if sample.name == "carillon_provider_answers_total"
    )
    assert code == "429"


def test_rates_are_told_once_there_is_enough_to_judge(client):
    def tally(what: str, n: int) -> None:
        PostTally.objects.create(
            day=clock.now().date(), channel="email", provider="sendgrid", sending="", receiving="",
            message_class="marketing", what=what, reason="", n=n,
        )  # fmt: skip

    tally("accepted", 99)
    tally("delivered", 95)
    tally("hard_bounce", 3)
    assert "carillon_bounce_ratio" not in {key[0] for key in said(client)}
    tally("accepted", 101)
    tally("delivered", 105)
    tally("complained", 1)
    read = said(client)
    assert (read["carillon_bounce_ratio",], read["carillon_complaint_ratio",]) == (0.015, 0.005)


def test_totals_are_the_same_whether_days_are_remembered_or_not(lived, client):
    """Counters never fall: not at midnight, not when Redis is emptied."""
    while counters.fold():
        pass
    Counter.objects.filter(metric="entered", step="").update(day=clock.now().date() - timedelta(days=5))
    for _ in range(2):
        assert said(client)["carillon_enrolments_entered_total",] == 6
    journeys.track([journeys.contact("new@example.com").pk], "signed_up")
    journeys.run()
    assert said(client)["carillon_enrolments_entered_total",] == 7
    for day in range(4):
        with transaction.atomic():
            found = metrics_work.read(clock.now() + timedelta(days=day))
            assert {family.name: family for family in found}["carillon_enrolments_entered"].samples[0].value == 7


def test_the_states_of_enrolments_follow_at_once(lived, client):
    assert said(client)["carillon_enrolments", "waiting"] == 4
    journeys.wake_all()
    journeys.run()
    read = said(client)
    assert (read["carillon_enrolments", "waiting"], read["carillon_enrolments", "completed"]) == (0, 6)
    assert read["carillon_pending_enrolments",] == 0


def test_the_database_tells_of_its_tables_and_its_oldest_transaction(lived, client):
    connection.ensure_connection()
    read = said(client)
    assert read["carillon_table_bytes", "workflow_enrolments"] > 0
    assert read["carillon_table_bytes", "contact_events"] > 0
    assert read["carillon_database_connections",] >= 1
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SELECT pg_sleep(0.3)")
            assert said(client)["carillon_oldest_transaction_age_seconds",] >= 0.3
    finally:
        other.close()


def test_the_warehouse_tells_when_it_was_built(client, now):
    assert "carillon_warehouse_built_timestamp_seconds" not in {key[0] for key in said(client)}
    WarehouseRun.objects.create(
        kind="by_hand", state="finished", requested_at=now, finished_at=now, requested_by="maya@example.com"
    )
    WarehouseRun.objects.create(kind="by_hand", state="failed", requested_at=now, finished_at=now + timedelta(days=1))
    assert said(client)["carillon_warehouse_built_timestamp_seconds",] == now.timestamp()


def test_nothing_of_a_person_is_in_it(lived, client):
    text = client.get("/metrics").content.decode()
    assert "@" not in text and "example.com" not in text


def test_no_statement_counts_what_is_large(lived, client):
    client.get("/metrics")
    with CaptureQueriesContext(connection) as queries:
        client.get("/metrics")
    for query in queries:
        for table in ("messages", "contact_send_log", "contact_events", "message_feedback", "event_keys"):
            assert f"FROM {table} " not in query["sql"]
