"""/metrics, the queues and the start page: what an operator and a marketer see of it."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import OperationalError, connection, transaction
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from prometheus_client.parser import text_string_to_metric_families

from analytics.counting import reconcile
from analytics.health import queues
from analytics.models import CounterDelta
from analytics.pages import start_page
from contacts import clock
from contacts.models import PendingEvent
from scoring.lifecycle import stages
from tests import journeys
from tests.journeys import definition, step
from workflows.models import Enrolment, Workflow

pytestmark = pytest.mark.django_db(transaction=True)


def samples(client):
    answer = client.get("/metrics")
    assert answer.status_code == 200 and answer["Content-Type"].startswith("text/plain")
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(answer.content.decode())
        for sample in family.samples
    }


def test_metrics_say_how_much_waits_and_what_became_of_everything(lived, client):
    journeys.track(journeys.contacts(3), "signed_up", lane="bulk")
    read = samples(client)
    assert read["carillon_queue_depth", "bulk", "events"] == 3
    assert read["carillon_queue_oldest_age_seconds", "bulk", "events"] > 0
    assert read["carillon_queue_depth", "events", "urgent"] == 0
    assert read["carillon_queue_depth", "messages", "urgent"] == 6
    assert read["carillon_enrolments_entered_total",] == 6
    assert read["carillon_enrolments", "waiting"] == 4 and read["carillon_enrolments", "completed"] == 2
    assert read["carillon_messages_total", "queued"] == 6 and read["carillon_messages_total", "accepted"] == 0


def test_metrics_are_answered_with_and_without_a_slash_and_only_read(client):
    assert client.get("/metrics/").status_code == 200
    assert client.post("/metrics").status_code == 405


def test_metrics_cost_a_handful_of_statements_whatever_there_is(lived, client):
    client.get("/metrics")
    with CaptureQueriesContext(connection) as few:
        client.get("/metrics")
    journeys.track(journeys.contacts(20), "signed_up")
    journeys.run()
    with CaptureQueriesContext(connection) as many:
        client.get("/metrics")
    assert len(few) == len(many) <= 14


def test_a_database_that_is_away_is_said_so(client, monkeypatch):
    def away(**_):
        raise OperationalError

    monkeypatch.setattr("analytics.health.queues.read", away)
    assert client.get("/metrics").status_code == 503


def queue(name, lane, now):
    return next(queue for queue in queues.read(now=now) if (queue.name, queue.lane) == (name, lane))


def test_a_queue_is_late_when_its_oldest_has_waited_too_long(now):
    PendingEvent.objects.create(event_id=1, recorded_at=now - timedelta(seconds=30), lane="urgent", shard=0)
    PendingEvent.objects.create(event_id=2, recorded_at=now - timedelta(seconds=30), lane="bulk", shard=0)
    urgent, bulk = queue("events", "urgent", now), queue("events", "bulk", now)
    assert (urgent.depth, urgent.age, urgent.late) == (1, 30.0, True)
    assert (bulk.depth, bulk.age, bulk.late) == (1, 30.0, False)


def test_what_waits_for_its_instant_or_is_paused_is_in_no_queue(lived):
    now = clock.now()
    assert queue("enrolments", "urgent", now).depth == 0
    journeys.wake_all()
    assert queue("enrolments", "urgent", now).depth == 4
    Workflow.objects.update(status="paused")
    assert queue("enrolments", "urgent", now).depth == 0


def test_all_queues_are_there_even_when_they_are_empty(now):
    assert [(one.name, one.lane) for one in queues.read(now=now)] == [
        ("events", "urgent"),
        ("events", "bulk"),
        ("enrolments", "urgent"),
        ("enrolments", "bulk"),
        ("admission", "urgent"),
        ("admission", "bulk"),
        ("paused", "urgent"),
        ("paused", "bulk"),
        ("checks", "urgent"),
        ("checks", "bulk"),
        ("entries", "urgent"),
        ("entries", "bulk"),
        ("audiences", "bulk"),
        ("calls", "urgent"),
        ("calls", "bulk"),
        ("posts", "bulk"),
        ("failed", "housekeeping"),
        ("messages", "urgent"),
        ("messages", "bulk"),
        ("scores", "urgent"),
        ("scores", "bulk"),
        ("webhooks", "webhooks"),
        ("in_doubt", "webhooks"),
        ("counters", "housekeeping"),
    ]
    assert all((one.depth, one.age, one.late) == (0, None, False) for one in queues.read(now=now))


# -- the start page ----------------------------------------------------------------------------------------------------


def test_the_start_page_says_what_is_happening(lived):
    journeys.publish(definition({"end": step("exit", {})}, slug="another"))
    now = clock.now()
    contact = Enrolment.objects.first().contact_id
    with transaction.atomic():
        stages.move(contact_ids=[contact], to_stage="mql", reason="", source="api", now=now)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO contact_send_log (message_id, contact_id, channel, workflow_id, kind, reason, at) "
            "SELECT id, contact_id, channel, workflow_id, 'capped', 'frequency_cap', now() - i * interval '20 hours' "
            "FROM messages, generate_series(0, 1) AS i"
        )
    request = RequestFactory().get("/admin/")
    request.user = AnonymousUser()
    page = start_page.context(request, {"kept": 1})["start"]
    assert (page.contacts, page.events_today, page.mqls, page.opens) == (6, 10, 1, 0)
    assert [(one.slug, one.entered, one.here_now, one.waiting, one.completed) for one in page.journeys] == [
        ("another", 0, 0, 0, 0),
        ("journey", 6, 4, 4, 2),
    ]
    (outcome,) = page.outcomes
    assert (outcome.state, outcome.count, outcome.reasons) == ("capped", 12, (("frequency_cap", 12),))
    assert (page.sent, page.skipped) == (0, 12)
    assert page.queues == queues.read(now=page.at)


def test_the_start_page_names_the_books_that_do_not_balance(lived):
    CounterDelta.objects.filter(metric="left:next").delete()
    reconcile.check([lived.pk], now=clock.now())
    page = start_page.read(now=clock.now())
    assert not page.balanced
    (book,) = page.unbalanced
    assert book.name.startswith("counter journey welcome left:next of ")


def test_an_empty_house_has_a_start_page(now):
    page = start_page.read(now=now)
    assert (page.contacts, page.journeys, page.outcomes, page.balanced) == (0, (), (), True)
