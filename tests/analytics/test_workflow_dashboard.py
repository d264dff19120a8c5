"""A journey's numbers: the same as everywhere else, with the people behind them, and cheap to look at again."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from analytics.counting import counters, rebuild
from analytics.pages import start_page
from analytics.pages import workflow_dashboard_rows as rows
from contacts import clock
from tests import journeys
from tests.delivery import making
from tests.journeys import definition, step
from workflows import figures
from workflows.models import Workflow

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def maya(db, client) -> Client:
    client.force_login(User.objects.create_superuser("maya", "maya@example.com", "correct horse"))
    return client


def address(workflow: Workflow, query: str = "") -> str:
    return reverse("admin:analytics_counter_journey", args=[workflow.pk]) + query


def look(client: Client, workflow: Workflow, query: str = ""):
    answer = client.get(address(workflow, query))
    assert answer.status_code == 200
    return answer


def tile(page, title: str) -> rows.Tile:
    return next(each for each in page.context["tiles"] if each.title == title)


def test_the_page_says_what_became_of_everybody(maya, lived):
    making.deliver()
    page = look(maya, lived)
    shown = {each.title: each.number for each in page.context["tiles"]}
    assert {title: shown[title] for title in ("Entered", "Here now", "Completed", "Left early", "Failed", "Sent")} == {
        "Entered": 6, "Here now": 4, "Completed": 2, "Left early": 0, "Failed": 0, "Sent": 6,
    }  # fmt: skip
    assert page.context["equation"] == [
        (0, "pending"), (0, "active"), (4, "waiting"), (2, "completed"), (0, "left early"), (0, "failed"),
    ]  # fmt: skip
    assert page.context["is_balanced"]
    assert [(each.words, each.count) for each in page.context["refused"]] == [
        ("The contact has been in it, and may not enter again", 3)
    ]


def test_the_steps_stand_in_the_order_of_the_journey_with_their_share_of_those_who_entered(maya, lived):
    making.deliver()
    steps = look(maya, lived).context["steps"]
    assert [(each.key, each.step.entered, each.step.here_now, each.share) for each in steps] == [
        ("welcome", 6, 0, 1.0),
        ("vip", 6, 0, 1.0),
        ("pause", 4, 4, 4 / 6),
        ("tag", 0, 0, 0.0),
    ]
    assert steps[0].step.post.sent == 6
    assert steps[1].ends == [("else", 4), ("yes", 2)]


def test_a_step_that_the_newest_version_lacks_stays_with_its_numbers(maya, lived):
    journeys.publish(definition({"only": step("add_tag", tag="new")}))
    steps = look(maya, lived).context["steps"]
    assert [(each.key, each.is_gone) for each in steps] == [
        ("only", False), ("pause", True), ("vip", True), ("welcome", True),
    ]  # fmt: skip
    of_the_first = look(maya, lived, "?version=1").context["steps"]
    assert [each.key for each in of_the_first] == ["welcome", "vip", "pause", "tag"]


def test_a_version_has_the_numbers_of_those_who_took_it(maya, lived):
    journeys.publish(definition({"only": step("add_tag", tag="new")}))
    who = making.contact("late@example.com").pk
    journeys.track(who, "signed_up")
    journeys.run()
    assert tile(look(maya, lived), "Entered").number == 7
    assert tile(look(maya, lived, "?version=2"), "Entered").number == 1
    assert tile(look(maya, lived, "?version=1"), "Entered").number == 6
    versions = look(maya, lived).context["version_rows"]
    assert [(each.version.number, each.version.fates.entered) for each in versions] == [(2, 1), (1, 6)]


def test_a_range_has_what_was_counted_in_its_days(maya, lived):
    making.change("UPDATE workflow_enrolments SET entered_at = entered_at - interval '20 days'", [])
    rebuild.replace()
    assert tile(look(maya, lived, "?range=7"), "Entered").number == 0
    assert tile(look(maya, lived, "?range=30"), "Entered").number == 6
    page = look(maya, lived)
    assert tile(page, "Entered").number == 6
    chart = page.context["people_chart"]
    assert (len(chart.days), chart.days[0].cells[0]) == (21, 6)


def test_every_number_leads_to_the_people_behind_it(maya, lived):
    for title, count in (("Here now", 4), ("Completed", 2), ("Entered", 6), ("Failed", 0)):
        found = maya.get(tile(look(maya, lived), title).link)
        assert len(found.context["cl"].result_list) == count, title


def test_every_reason_leads_to_its_messages(maya, lived):
    making.deliver()
    who, version = journeys.contact("again@example.com").pk, journeys.template("welcome")
    for _ in range(2):
        making.enqueue(making.request(who, version, workflow_id=lived.pk))
        making.deliver()
    (reason,) = look(maya, lived).context["skipped"]
    assert (reason.words, reason.count) == ("Not sent: the frequency cap was reached", 1)
    assert len(maya.get(reason.link).context["cl"].result_list) == 1


def test_the_start_page_the_list_the_head_the_api_and_the_numbers_agree(maya, lived):
    making.deliver()
    page = look(maya, lived)
    here = {title: tile(page, title).number for title in ("Entered", "Here now", "Completed", "Left early", "Failed")}
    figure = figures.figures([lived.pk])[lived.pk]
    (journey,) = start_page.read(now=clock.now()).journeys
    totals = counters.totals(lived.pk)
    for name, number in (
        ("entered", here["Entered"]),
        ("here_now", here["Here now"]),
        ("completed", here["Completed"]),
        ("exited", here["Left early"]),
        ("failed", here["Failed"]),
    ):
        assert getattr(figure, name) == getattr(journey, name) == number
    assert totals["entered"] == here["Entered"]
    assert totals["enrolments"]["waiting"] == page.context["overview"].waiting == figure.waiting
    listed = maya.get(reverse("admin:workflows_workflow_changelist")).content.decode()
    assert ">6<" in listed and ">4<" in listed
    assert page.context["figures"] == figure


def test_who_has_the_newest_numbers_is_answered_that_nothing_changed(maya, lived):
    page = look(maya, lived)
    tag = page.headers["ETag"]
    assert page.context["tag"] == tag
    again = maya.get(page.context["live_address"], headers={"If-None-Match": tag})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
    journeys.track(journeys.contact("new@example.com").pk, "signed_up")
    journeys.run()
    fresh = maya.get(page.context["live_address"], headers={"If-None-Match": tag})
    assert fresh.status_code == 200 and fresh.headers["ETag"] != tag
    assert b"<html" not in fresh.content and b'id="nu-tiles"' in fresh.content
    other_range = maya.get(address(lived, "?range=7&live=1"), headers={"If-None-Match": fresh.headers["ETag"]})
    assert other_range.status_code == 200


def test_a_look_costs_as_many_statements_for_a_long_journey_as_for_a_short_one(maya, lived):
    def statements(workflow: Workflow) -> int:
        look(maya, workflow)
        with CaptureQueriesContext(connection) as seen:
            look(maya, workflow)
        return len(seen)

    few = statements(lived)
    chain = {f"s{n}": step("add_tag", {"next": f"s{n + 1}" if n < 39 else None}, tag=f"t{n}") for n in range(40)}
    journeys.publish(definition(chain, slug="long"))
    journeys.track(journeys.contacts(20), "signed_up", key="long")
    journeys.run()
    assert statements(Workflow.objects.get(slug="long")) <= few


def test_a_draft_that_nobody_published_has_a_page_of_noughts(maya):
    from workflows import publishing

    publishing.save_draft(definition=definition({"tag": step("add_tag", tag="x")}, slug="draft"), now=clock.now())
    page = look(maya, Workflow.objects.get(slug="draft"))
    assert {each.number for each in page.context["tiles"]} == {0}
    assert page.context["steps"] == []


@pytest.mark.parametrize("query", ["?version=99", "?version=x&range=year", "?range=%00", "?version=²", "?live"])
def test_nonsense_in_the_address_is_no_fault(maya, lived, query):
    look(maya, lived, query)


def test_only_who_may_see_journeys_sees_their_numbers(lived):
    def somebody(*names: str) -> Client:
        user = User.objects.create_user(f"staff{User.objects.count()}", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=names))
        client = Client()
        client.force_login(user)
        return client

    assert somebody("view_counter").get(address(lived)).status_code == 403
    assert somebody("view_workflow").get(address(lived)).status_code == 200
    assert somebody("view_workflow").get(address(Workflow(pk=987_654))).status_code == 404
    assert Client().get(address(lived)).status_code == 302


# -- the rows, which are pure ----------------------------------------------------------------------------------------


def test_steps_stand_after_all_that_lead_to_them():
    steps = {
        "end": {"next": {"next": None}},
        "start": {"next": {"yes": "long", "else": "short"}},
        "short": {"next": {"next": "end"}},
        "long": {"next": {"next": "longer"}},
        "longer": {"next": {"next": "end"}},
        "loose": {"next": {"next": "end"}},
    }
    assert rows.in_order(steps, "start") == ["start", "long", "longer", "short", "end", "loose"]
    assert rows.in_order({}, "") == []


@pytest.mark.parametrize(
    ("first", "since", "count"),
    [(None, None, 1), (-9, None, 10), (-400, None, rows.MOST_DAYS), (-400, -6, 7), (None, -29, 30), (2, None, 1)],
)
def test_the_days_of_a_chart_are_those_of_its_range_or_since_the_first(first, since, count):
    today = date(2026, 5, 20)
    from analytics.counting.overview import Day

    counted = [Day(today + timedelta(days=first), 1, 0, 0, 0, 0, 0, 0, 0)] if first is not None else []
    days = rows._days(counted, since=today + timedelta(days=since) if since is not None else None, today=today)
    assert (len(days), days[-1]) == (count, today)
