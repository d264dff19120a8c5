"""The event debugger: live, and in quarantine."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse

from contacts import clock, quarantine, tallies
from contacts.faults import Fault
from contacts.models import ContactEvent, QuarantinedEvent
from contacts.pages import intake_figures, live
from contacts.quarantine import Refused
from tests.contacts.conftest import event, record

pytestmark = pytest.mark.django_db

LIVE, ROWS = reverse("admin:contacts_contactevent_live"), reverse("admin:contacts_contactevent_live_rows")
QUARANTINE = reverse("admin:contacts_quarantinedevent_changelist")
EVIL = '<script>alert("x")</script><img src=x onerror=alert(1)>'


@pytest.fixture
def some_events(db):
    now = clock.now()
    no = {"consent": {"categoryPreferences": {"tracking": False}}}
    record(event("ada", "ordered", properties={"total": 5}), event("bob", "seen", context=no), now=now)
    record(event("ada", "seen", key="k"), now=now, source="kafka")
    return now


def again(row: QuarantinedEvent) -> str:
    return reverse("admin:contacts_quarantinedevent_again", args=[row.pk])


def keep(raw: str, now=None) -> QuarantinedEvent:
    quarantine.keep(
        [Refused("api", "website", raw, [Fault("missing", "is missing", ("type",))])], now=now or clock.now()
    )
    return QuarantinedEvent.objects.latest("id")


@pytest.mark.parametrize(
    ("query", "types"),
    [
        ({}, ["seen", "seen", "ordered"]),
        ({"type": "seen"}, ["seen", "seen"]),
        ({"source": "kafka"}, ["seen"]),
        ({"contact": "ada", "type": "ordered"}, ["ordered"]),
        ({"contact": "nobody"}, []),
        ({"type": "a\x00b"}, []),
    ],
)
def test_the_newest_events_come_first_and_are_filtered(admin_client, some_events, query, types):
    page = admin_client.get(LIVE, query)
    assert page.status_code == 200
    assert [each.type for each in page.context["events"]] == types
    answer = admin_client.get(ROWS, query)
    assert "no-store" in answer["Cache-Control"]
    assert answer.json()["rows"].count("<tr ") == len(types)


def test_what_came_in_is_drawn_and_told(admin_client, some_events):
    tallies.count({"rejected:future": 3, "duplicate": 2}, source="api", now=some_events)
    figures = admin_client.get(LIVE).context["figures"]
    assert [(label, amount) for label, _, amount in figures.totals] == [
        ("Used", 2), ("Held for want of consent", 1), ("Duplicates", 2), ("Rejected", 3)
    ]  # fmt: skip
    assert figures.rejected == [("future", 3)]
    last = figures.hours[-1]
    assert list(last.amounts) == [2, 1, 2, 3]
    assert [part.height for part in last.parts] == [25.0, 12.5, 25.0, 37.5]
    assert last.parts[-1].top == 0.0
    assert len(figures.hours) == intake_figures.HOURS
    assert "future 3" in admin_client.get(ROWS).json()["figures"]


def test_a_page_of_rows_costs_the_same_however_many_there_are(admin_client, now, django_assert_max_num_queries):
    record(*[event(f"c{n}", "seen", key=str(n)) for n in range(120)], now=clock.now() - timedelta(minutes=1))
    with django_assert_max_num_queries(9):
        assert admin_client.get(ROWS).json()["rows"].count("<tr ") == live.SHOWN


def test_what_people_send_is_shown_and_not_run(admin_client, now):
    record(event("ada", EVIL, properties={EVIL: EVIL}), now=clock.now())
    row = keep(f'{{"type": 5, "v": "{EVIL}"}}'.replace('"x"', "'x'"))
    pages = [
        admin_client.get(LIVE).content.decode(),
        admin_client.get(ROWS).json()["rows"],
        admin_client.get(QUARANTINE).content.decode(),
        admin_client.get(reverse("admin:contacts_quarantinedevent_change", args=[row.pk])).content.decode(),
    ]
    for page in pages:
        assert "<img src=x" not in page
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert" in page


def test_the_payload_is_indented_where_it_is_json(admin_client):
    for raw, shown in [('{"a":{"b":1}}', '"a": {\n'), ('{"a": NaN}', '{"a": NaN}'), ("[" * 4000, "[" * 4000)]:
        page = admin_client.get(reverse("admin:contacts_quarantinedevent_change", args=[keep(raw).pk]))
        assert shown in page.context["payload"]
        assert page.context["errors"] == [("missing", "type is missing")]


def test_try_again_takes_what_became_right(admin_client):
    row = keep('{"type": "seen", "user_id": "ada"}')
    answer = admin_client.post(again(row), follow=True)
    assert "Taken: 1." in answer.content.decode()
    assert not answer.context["may_try_again"]
    assert ContactEvent.objects.get().type == "seen"
    assert "had been taken already" in admin_client.post(again(row), follow=True).content.decode()


def test_many_are_tried_again_from_the_list(admin_client):
    rows = [keep(raw) for raw in ('{"type": "seen", "user_id": "ada"}', '{"type": "seen"}')]
    answer = admin_client.post(
        QUARANTINE, {"action": "try_these_again", "_selected_action": [row.pk for row in rows]}, follow=True
    )
    text = answer.content.decode()
    assert "Taken: 1." in text
    assert "Still not taken: 1." in text
    assert admin_client.get(QUARANTINE, {"state": "released"}).context["cl"].result_count == 1
    assert admin_client.get(QUARANTINE, {"source": "kafka"}).context["cl"].result_count == 0


def test_looking_needs_a_permission_and_trying_again_another(staff, client):
    row = keep('{"type": "seen", "user_id": "ada"}')
    looks, acts, nobody = (
        staff("contacts.view_quarantinedevent", "contacts.view_contactevent"),
        staff("contacts.view_quarantinedevent", "contacts.change_quarantinedevent"),
        staff("contacts.view_tag"),
    )
    assert looks.get(LIVE).status_code == looks.get(ROWS).status_code == looks.get(QUARANTINE).status_code == 200
    assert "Try again" not in looks.get(QUARANTINE).content.decode()
    assert looks.post(again(row)).status_code == 403
    assert nobody.get(LIVE).status_code == nobody.get(ROWS).status_code == nobody.get(QUARANTINE).status_code == 403
    assert acts.get(again(row)).status_code == 403
    assert acts.post(again(row)).status_code == 302
    assert client.get(ROWS).status_code == 302


@pytest.mark.parametrize(
    "page", [QUARANTINE + "?source=%00", reverse("admin:contacts_contactevent_changelist") + "?type=%00"]
)
def test_a_filter_that_postgresql_could_not_be_asked_for_is_none(admin_client, some_events, page):
    assert admin_client.get(page).status_code == 200
