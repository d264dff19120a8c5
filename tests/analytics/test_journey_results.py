"""A journey's results on its map: the same numbers as in the tables, each with exactly the people behind it."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from analytics.counting import overview, standing
from analytics.pages import journey_numbers, journey_step
from analytics.pages.journey_links import Links
from contacts import clock
from delivery.models import SendLogEntry
from tests import journeys
from tests.delivery import making
from tests.journeys import definition, step
from workflows import publishing
from workflows.models import Enrolment, EntryRefusal, JournalEntry, Workflow
from workflows.pages.builder.numbers import percent, short

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def maya(db, client) -> Client:
    client.force_login(User.objects.create_superuser("maya", "maya@example.com", "correct horse"))
    return client


def address(workflow: Workflow, query: str = "") -> str:
    return reverse("admin:analytics_counter_results", args=[workflow.pk]) + query


def live(workflow: Workflow) -> str:
    return reverse("admin:analytics_counter_standing", args=[workflow.pk])


def numbers(html: str) -> dict[str, str]:
    """What a card shows, by the name of each number."""
    return dict(re.findall(r'data-n="([^"]+)">([^<]*)<', html))


def cards(client: Client, workflow: Workflow, query: str = "") -> dict[str, dict[str, str]]:
    page = client.get(address(workflow, query))
    assert page.status_code == 200
    return {key: numbers(html) for key, html in page.context["numbers"].items()}


def people(client: Client, link: str) -> set[int]:
    return {row.contact_id for row in client.get(link).context["cl"].result_list}


def link_of(html: str, name: str) -> str:
    return re.search(rf'href="([^"]+)"[^>]*><b data-n="{name}"', html)[1].replace("&amp;", "&")


def test_the_numbers_of_the_map_are_what_the_tables_of_the_engine_say(maya, lived):
    making.deliver()
    shown = cards(maya, lived)
    came = JournalEntry.objects.values_list("step", "enrolment_id").distinct()
    for key in ("welcome", "vip", "pause"):
        assert int(shown[key]["entered"]) == len([1 for at, _ in came if at == key]), key
        here = Enrolment.objects.filter(step=key, state__in=["pending", "active", "waiting"])
        assert int(shown[key]["here"]) == here.count(), key
    assert int(shown["welcome"]["sent"]) == SendLogEntry.objects.filter(kind="accepted").count() == 6
    assert shown[".trigger"] == {
        "entered": str(Enrolment.objects.count()),
        "refused": str(EntryRefusal.objects.count()),
    }
    assert (shown["pause"]["here"], shown["tag"]["entered"], shown[".trigger"]["refused"]) == ("4", "0", "3")


def test_each_way_has_the_share_of_those_who_took_it(maya, lived):
    page = maya.get(address(lived))
    assert {(arm.step, arm.port): share for arm, share in page.context["shares"].items()} == {
        ("vip", "yes"): "33%",
        ("vip", "else"): "67%",
    }
    assert 'id="share-vip-yes">33%<' in page.content.decode()
    took = {port: JournalEntry.objects.filter(step="vip", port=port).count() for port in ("yes", "else")}
    assert took == {"yes": 2, "else": 4}


def test_here_now_leads_to_exactly_those_who_stand_there(maya, lived):
    another = {"welcome": step("wait", mode="duration", **{"for": "P1D"})}
    journeys.publish(definition(another, slug="another"))
    journeys.track(journeys.contact("elsewhere@example.com").pk, "signed_up", key="other")
    journeys.run()
    page = maya.get(address(lived))
    found = people(maya, link_of(page.context["numbers"]["pause"], "here"))
    waiting = Enrolment.objects.filter(workflow=lived, step="pause", state="waiting")
    assert found == set(waiting.values_list("contact_id", flat=True)) and len(found) == 5
    assert people(maya, link_of(page.context["numbers"]["welcome"], "here")) == set()


def test_a_versions_here_now_leads_to_its_own_people_alone(maya, lived):
    journeys.publish(definition({"pause": step("wait", mode="duration", **{"for": "P1D"})}))
    late = journeys.contact("late@example.com").pk
    journeys.track(late, "signed_up", key="late")
    journeys.run()
    for query, count in (("", 5), ("?version=1", 4), ("?version=2", 1)):
        page = maya.get(address(lived, query))
        html = page.context["numbers"]["pause"]
        assert int(numbers(html)["here"]) == count, query
        assert len(people(maya, link_of(html, "here"))) == count, query
    assert people(maya, link_of(html, "here")) == {late}
    assert set(maya.get(address(lived, "?version=1")).context["numbers"]) == {
        ".trigger",
        "welcome",
        "vip",
        "pause",
        "tag",
    }


def test_every_exit_has_its_people(maya, lived):
    first, second, *_ = Enrolment.objects.filter(state="waiting").order_by("pk")
    for row in (first, second):
        maya.post(reverse("admin:workflows_enrolment_take_out", args=[row.pk]))
    head = maya.get(address(lived))
    (exit_,) = head.context["exits"]
    assert (exit_.words, exit_.count) == ("was taken out by hand", 2)
    assert people(maya, exit_.link) == {first.contact_id, second.contact_id}
    fates = {each.name: each for each in head.context["fates"]}
    for name, count in (("entered", 6), ("here", 2), ("completed", 2), ("left", 2)):
        assert (fates[name].count, len(people(maya, fates[name].link))) == (count, count), name


def test_a_range_has_no_link_where_no_list_has_days(maya, lived):
    page = maya.get(address(lived, "?range=7"))
    assert page.context["numbers"]["pause"].count("<a ") == 1  # here now, which is of this moment
    assert all(not each.link for each in page.context["fates"] if each.name != "here")


def test_the_map_the_tables_and_the_builder_agree(maya, lived):
    making.deliver()
    tables = maya.get(reverse("admin:analytics_counter_journey", args=[lived.pk])).context
    shown = cards(maya, lived)
    drawing = maya.get(live(lived)).json()["parts"]
    for row in tables["steps"]:
        assert int(shown[row.key]["entered"]) == row.step.entered
        assert int(shown[row.key]["here"]) == row.step.here_now
        if row.step.entered:
            assert numbers(drawing[f"numbers-{row.key}"]) == {
                name: shown[row.key][name] for name in ("entered", "here")
            }
    assert numbers(drawing["numbers-.trigger"]) == shown[".trigger"]


def test_a_look_again_is_one_statement_and_304_until_something_is_counted(maya, lived):
    with CaptureQueriesContext(connection) as seen:
        first = maya.get(live(lived))
    ours = [each["sql"] for each in seen if "counters" in each["sql"] or "workflow" in each["sql"]]
    assert len(ours) == 1
    again = maya.get(live(lived), headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    journeys.track(journeys.contact("new@example.com").pk, "signed_up", key="new")
    journeys.run()
    news = maya.get(live(lived), headers={"If-None-Match": first.headers["ETag"]})
    assert numbers(news.json()["parts"]["numbers-pause"]) == {"entered": "5", "here": "5"}


def test_the_results_are_asked_again_with_their_tag(maya, lived):
    page = maya.get(address(lived))
    again = page.context["live_address"]
    assert maya.get(again, headers={"If-None-Match": page.context["tag"]}).status_code == 304
    journeys.track(journeys.contact("new@example.com").pk, "signed_up", key="new")
    journeys.run()
    news = maya.get(again, headers={"If-None-Match": page.context["tag"]}).json()
    assert numbers(news["parts"]["numbers-pause"])["here"] == "5" and news["reload"] is False
    assert news["parts"]["share-vip-else"] == "71%"
    assert numbers(news["parts"]["results-head"])["entered"] == "7"
    journeys.publish(definition({"only": step("add_tag", tag="new")}))
    assert maya.get(again, headers={"If-None-Match": page.context["tag"]}).json()["reload"] is True


def test_a_card_tells_everything_that_was_counted_there(maya, lived):
    making.deliver()
    who, version = journeys.contact("again@example.com").pk, journeys.template("welcome")
    for _ in range(2):
        making.enqueue(making.request(who, version, workflow_id=lived.pk, step="welcome"))
        making.deliver()
    page = maya.get(reverse("admin:analytics_counter_results_step", args=[lived.pk, "welcome"]))
    parts = {title: {line.words: line for line in lines} for title, lines in page.context["details"].parts}
    assert {words: line.count for words, line in parts["People"].items()} == {
        "Came here": 6,
        "Went on": 6,
        "Here now": 0,
    }
    assert parts["Messages"]["Taken by the provider"].count == 7
    taken = maya.get(parts["Messages"]["Taken by the provider"].link).context["cl"].result_list
    assert len(taken) == 7
    (skipped,) = parts["Why messages were not sent"].values()
    assert (skipped.words, skipped.count) == ("Not sent: the frequency cap was reached", 1)
    assert len(maya.get(skipped.link).context["cl"].result_list) == 1
    branch = maya.get(reverse("admin:analytics_counter_results_step", args=[lived.pk, "vip"])).context["details"]
    assert [(line.words, line.count, line.share) for line in dict(branch.parts)["Where they went"]] == [
        ("Yes", 2, "33%"), ("No", 4, "67%"),
    ]  # fmt: skip
    trigger = maya.get(reverse("admin:analytics_counter_results_step", args=[lived.pk, ".trigger"]))
    lines = {line.words: line for line in dict(trigger.context["details"].parts)["People"]}
    assert len(maya.get(lines["Not let in"].link).context["cl"].result_list) == lines["Not let in"].count == 3
    assert maya.get(reverse("admin:analytics_counter_results_step", args=[lived.pk, "nowhere"])).status_code == 404


def test_a_draft_that_nobody_published_is_drawn_without_people(maya):
    publishing.save_draft(definition=definition({"tag": step("add_tag", tag="x")}, slug="draft"), now=clock.now())
    workflow = Workflow.objects.get(slug="draft")
    page = maya.get(address(workflow))
    assert 'id="card-tag"' in page.content.decode() and "Nothing was published yet" in page.content.decode()
    assert {each.count for each in page.context["fates"]} == {0}
    assert maya.get(live(workflow)).json()["parts"] == {}


@pytest.mark.parametrize(
    "query", ["?version=99", "?version=x&range=year", "?range=%00", "?version=²", "?live", "?live=x"]
)
def test_nonsense_in_the_address_is_no_fault(maya, lived, query):
    assert maya.get(address(lived, query)).status_code == 200


@pytest.mark.parametrize(
    "query", ["&step=%00", "&version=²", "&version=x&step=none", "&reason=%00", "&step=pause&version=99"]
)
def test_nonsense_asked_of_the_people_is_no_fault(maya, lived, query):
    list_ = reverse("admin:workflows_enrolment_changelist")
    assert maya.get(f"{list_}?workflow={lived.pk}{query}").status_code == 200
    assert maya.get(f"{list_}?workflow=x{query}").status_code == 200
    messages = reverse("admin:delivery_message_changelist")
    assert maya.get(f"{messages}?workflow={lived.pk}{query.partition('&version')[0]}").status_code == 200


def test_only_who_may_see_journeys_sees_their_results(lived):
    def somebody(*names: str) -> Client:
        user = User.objects.create_user(f"staff{User.objects.count()}", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=names))
        client = Client()
        client.force_login(user)
        return client

    step_ = reverse("admin:analytics_counter_results_step", args=[lived.pk, "vip"])
    for path in (address(lived), live(lived), step_):
        assert somebody("view_counter").get(path).status_code == 403
        assert somebody("view_workflow").get(path).status_code == 200
        assert Client().get(path).status_code == 302
    assert somebody("view_workflow").get(address(Workflow(pk=987_654))).status_code == 404


def test_a_hostile_name_is_text_on_the_map_and_beside_it(maya):
    name = '"><img src=x onerror=alert(1)>'
    steps = {"wait": {**step("wait", mode="duration", **{"for": "P1D"}), "name": name}}
    journeys.publish(definition(steps, slug="hostile", name=name))
    workflow = Workflow.objects.get(slug="hostile")
    for path in (address(workflow), reverse("admin:analytics_counter_results_step", args=[workflow.pk, "wait"])):
        assert "<img src=x" not in maya.get(path).content.decode()


# -- pure -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0"), (999, "999"), (1234, "1,234"), (99_999, "99,999"), (123_456, "123k"), (999_499, "999k"),
     (999_500, "1.0M"), (12_345_678, "12.3M")],
)  # fmt: skip
def test_a_number_of_a_card_is_short_where_it_would_not_fit(count, shown):
    assert short(count) == shown


@pytest.mark.parametrize(
    ("part", "whole", "shown"),
    [(0, 0, ""), (0, 9, "0%"), (9, 9, "100%"), (1, 3, "33%"), (2, 3, "67%"), (1, 1000, "<1%"), (999, 1000, ">99%")],
)
def test_a_share_says_all_and_none_only_where_it_is_so(part, whole, shown):
    assert percent(part, whole) == shown


def test_what_was_never_counted_has_no_numbers():
    assert journey_numbers.of_standing(standing.Standing()) == {}


def test_a_way_out_that_only_an_older_version_had_is_told_beside_the_map(lived):
    read = overview.read(lived.pk)
    newer = {**lived.live_version.definition}
    newer["steps"] = {**newer["steps"], "vip": {**newer["steps"]["vip"]}}
    arms = [{"key": "gold", "if": {"field": "vip", "op": "eq", "value": True}}]
    newer["steps"]["vip"] |= {"config": {"arms": arms}, "next": {"gold": None, "else": "pause"}}
    found = journey_step.details(read, newer, "vip", Links(lived.pk))
    assert {line.words: line.count for line in dict(found.parts)["Where they went"]}["yes, in another version"] == 2
