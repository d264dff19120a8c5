"""The pressure page: its numbers are those of the gate, and every one of them leads to what is behind it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from contacts import clock
from tests import journeys
from tests.delivery import making
from tests.delivery.test_pressure import Gate
from tests.journeys import definition, step
from workflows.models import Workflow

pytestmark = pytest.mark.django_db

PAGE = "admin:analytics_counter_pressure"


@pytest.fixture
def maya(client) -> Client:
    client.force_login(User.objects.create_superuser("maya", "maya@example.com", "correct horse"))
    return client


def a_journey(slug: str, name: str) -> int:
    journeys.publish(definition({"tag": step("add_tag", tag=slug)}, slug=slug, name=name))
    return Workflow.objects.get(slug=slug).pk


@pytest.fixture
def contest() -> tuple[int, int, list[int]]:
    """The welcome takes the place, and the sale goes without: twice, and once more for the second contact."""
    welcome, sale = a_journey("welcome-series", "Welcome"), a_journey("winter-sale", "Winter <b>sale</b>")
    doors, now = Gate(), clock.now()
    people = [making.contact("ada@example.com").pk, making.contact("bo@example.com").pk]
    for who, asks in zip(people, (1, 2), strict=True):
        doors.ask_alone(who, welcome, now - timedelta(hours=5), topic="news")
        for n in range(asks):
            doors.ask_alone(who, sale, now - timedelta(hours=4 - n), topic="sales")
    return welcome, sale, people


def look(client: Client, query: str = ""):
    answer = client.get(reverse(PAGE) + query)
    assert answer.status_code == 200
    return answer


def test_the_page_says_who_asked_and_who_was_displaced_by_whom(maya, contest):
    page = look(maya)
    total = page.context["total"]
    assert (total.asked, total.sent, total.skipped) == (5, 2, 3)
    shown = [(each.name, each.asked.asked, each.asked.skipped, each.displaced) for each in page.context["competitors"]]
    assert shown == [("Winter <b>sale</b>", 3, 3, 0), ("Welcome", 2, 0, 3)]
    assert [name for name, _ in page.context["columns"]] == ["Welcome"]
    (row,) = page.context["rows"]
    assert (row.name, [cell.count for cell in row.cells]) == ("Winter <b>sale</b>", [3])
    assert [(key[1], counts.asked) for key, counts in page.context["topics"]] == [("sales", 3), ("news", 2)]
    assert b"Winter <b>" not in page.content


def test_a_number_of_the_matrix_leads_to_its_messages_and_these_to_their_explanation(maya, contest):
    _, _, people = contest
    (row,) = look(maya).context["rows"]
    behind = maya.get(row.cells[0].link.partition("#")[0])
    found = behind.context["behind"]
    assert sorted(who for _, who, _, _ in found) == ["ada@example.com", "bo@example.com", "bo@example.com"]
    assert [each.at for each, *_ in found] == sorted((each.at for each, *_ in found), reverse=True)
    for _, _, holders, why in found:
        ((name, url),) = holders
        assert name == "Welcome"
        assert maya.get(url).status_code == 200
        assert b"Why this journey" in maya.get(why).content
    assert {each.contact_id for each, *_ in found} == set(people)


def test_the_most_pressed_come_first_and_say_why(maya, contest):
    _, _, people = contest
    pressed = look(maya).context["pressed"]
    assert [(each.contact_id, each.skipped, each.sent, who) for each, who, _ in pressed] == [
        (people[1], 2, 1, "bo@example.com"),
        (people[0], 1, 1, "ada@example.com"),
    ]
    assert all(why.endswith("?workflow=winter-sale") for _, _, why in pressed)


def test_the_most_pressed_come_in_pages(maya, contest, monkeypatch):
    from analytics.pages import pressure

    monkeypatch.setattr(pressure, "PAGE", 1)
    first = look(maya)
    assert (len(first.context["pressed"]), first.context["newer"]) == (1, "")
    second = maya.get(first.context["older"])
    assert second.context["pressed"][0][1] == "ada@example.com"
    assert (second.context["older"], bool(second.context["newer"])) == ("", True)


def test_the_spread_has_everybody_and_a_bar_for_every_number(maya, contest):
    making.contact("quiet@example.com")
    spread = look(maya).context["spread"]
    assert [(bar.label, bar.contacts) for bar in spread["bars"]] == [("0", 1), ("1", 2)]
    assert spread["average"] == pytest.approx(2 / 3)


def test_where_time_runs_faster_the_page_says_whose_days_it_means(maya, contest, settings):
    assert "times as fast" not in look(maya).content.decode()
    settings.TIME_SPEED = 86_400.0
    assert "Time runs 86,400 times as fast here" in look(maya).content.decode()


def test_another_cap_is_tried_when_somebody_asks(maya, contest, settings):
    assert "tried" not in look(maya).context
    settings.FREQUENCY_CAP_PER_DAY = None
    tried = look(maya, "?what-if=1").context["tried"]
    assert [(each.outcome.cap.per_week, each.outcome.sent) for each in tried] == [
        (1, 2), (2, 4), (3, 5), (4, 5), (5, 5), (6, 5), (7, 5), (8, 5), (None, 5),
    ]  # fmt: skip
    assert [each.outcome.cap.per_week for each in tried if each.is_now] == [3]


def test_what_was_decided_in_another_channel_or_before_is_another_question(maya, contest):
    assert look(maya, "?channel=sms").context["total"].asked == 0
    making.change(
        "UPDATE contact_send_log SET at = at - interval '3 days', counts_at = counts_at - interval '3 days'", []
    )
    assert look(maya, "?days=1").context["total"].asked == 0
    assert look(maya, "?days=7").context["total"].asked == 5


@pytest.mark.parametrize(
    "query",
    ["?days=x&channel=fax&page=0", "?page=99999999999999999999", "?displaced=x&by=y", "?displaced=7", "?days=%00&by=1",
     "?displaced=99999999999999999&by=99999999999999999", "?page=3999", "?channel=push&what-if=1", "?page=²"],
)  # fmt: skip
def test_nonsense_in_the_address_is_no_fault(maya, contest, query):
    look(maya, query)


def test_the_page_costs_as_many_statements_for_many_as_for_few(maya, contest):
    def statements() -> int:
        with CaptureQueriesContext(connection) as seen:
            look(maya, "?what-if=1")
        return len(seen)

    look(maya)
    few = statements()
    doors, now = Gate(), clock.now()
    for n in range(12):
        who, workflow = making.contact(f"p{n}@example.com").pk, a_journey(f"more-{n}", f"More {n}")
        doors.ask_alone(who, workflow, now - timedelta(hours=3))
        doors.ask_alone(who, workflow, now - timedelta(hours=2))
    assert statements() <= few
    page = look(maya)
    assert (len(page.context["rows"]), len(page.context["columns"]), page.context["left_out"]) == (13, 8, 5)


def test_only_who_may_see_messages_sees_pressure_and_an_explanation_only_who_may_see_enrolments(db, contest):
    def somebody(*names: str) -> Client:
        user = User.objects.create_user(f"staff{User.objects.count()}", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=names))
        client = Client()
        client.force_login(user)
        return client

    assert somebody("view_counter").get(reverse(PAGE)).status_code == 403
    reader = look(somebody("view_message"))
    assert {why for _, _, why in reader.context["pressed"]} == {""}
    assert Client().get(reverse(PAGE)).status_code == 302
