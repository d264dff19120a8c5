"""Chains of live journeys that lead back to where they began are warned of, with the way; nothing else is."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from contacts import clock, transactions
from contacts.audiences import lists
from tests import journeys
from tests.journeys import definition, step
from workflows import publishing
from workflows.definition.validation import validate
from workflows.models import Workflow

pytestmark = pytest.mark.django_db(transaction=True)

AGAIN = {"policy": "every_time"}
ONE = {"field": "event.plan", "op": "eq", "value": "pro"}


@pytest.fixture(autouse=True)
def newsletter():
    transactions.run(lambda now: lists.create(slug="news", name="News", now=now))


def journey(slug: str, trigger: dict, *steps: dict, again: dict = AGAIN) -> dict:
    named = {f"s{n}": {**each, "next": {"next": f"s{n + 1}"}} for n, each in enumerate(steps[:-1])}
    return definition(
        {**named, f"s{len(steps) - 1}": steps[-1]}, slug=slug, entry={"trigger": trigger, "re_entry": again}
    )


def on_event(name: str, **more) -> dict:
    return {"type": "event", "event": name, **more}


def emit(kind: str) -> dict:
    return step("emit_event", type=kind)


def circles(document: dict) -> list[tuple[str | None, str, str]]:
    """(step, field, the way) of each warning; there is nothing else wrong."""
    found = validate(document)
    assert {(each.code, each.severity) for each in found} <= {("cycle", "warning")}
    return [(each.step, each.field, each.message.split(": ")[1].split(";")[0]) for each in found]


def test_two_journeys_that_start_each_other_are_named_with_the_way():
    journeys.publish(journey("nurture", on_event("warm"), step("add_tag", tag="t"), emit("welcomed")))
    assert circles(journey("welcome", on_event("welcomed"), step("add_tag", tag="x"), emit("warm"))) == [
        ("s1", "config.type", "Welcome → Nurture → Welcome")
    ]


def test_a_journey_that_records_what_starts_it_is_its_own_circle():
    assert circles(journey("welcome", on_event("a", where=ONE), emit("a"))) == [
        ("s0", "config.type", "Welcome → Welcome")
    ]


@pytest.mark.parametrize(
    ("trigger", "does", "field"),
    [
        ({"type": "tag_added", "tag": "vip"}, step("add_tag", tag="vip"), "config.tag"),
        ({"type": "list_joined", "list": "news"}, step("add_to_list", list="news"), "config.list"),
        ({"type": "lifecycle_changed", "to": "mql"}, step("change_lifecycle_stage", to="mql"), "config.to"),
    ],
)
def test_tags_lists_and_stages_lead_on(trigger, does, field):
    journeys.publish(journey("second", trigger, emit("back")))
    assert circles(journey("first", on_event("back"), does)) == [("s0", field, "First → Second → First")]


def test_the_way_may_be_long_and_lead_through_a_step_that_sends_on():
    journeys.publish(journey("d", {"type": "manual"}, emit("home")))
    journeys.publish(journey("c", {"type": "tag_added", "tag": "t"}, step("enter_workflow", workflow="d")))
    journeys.publish(journey("b", on_event("one"), step("add_tag", tag="t")))
    assert circles(journey("a", on_event("home"), emit("one"))) == [("s0", "config.type", "A → B → C → D → A")]


@pytest.mark.parametrize("stopped", ["mine", "theirs"])
def test_who_may_not_enter_again_goes_round_no_circle(stopped):
    never = {"policy": "never"}
    journeys.publish(journey("b", on_event("one"), emit("home"), again=never if stopped == "theirs" else AGAIN))
    assert circles(journey("a", on_event("home"), emit("one"), again=never if stopped == "mine" else AGAIN)) == []


def test_what_only_looks_like_a_circle_is_none(now):
    journeys.publish(journey("b", on_event("one"), emit("elsewhere")))
    journeys.publish(journey("tags", {"type": "tag_added", "tag": "other"}, emit("home")))
    journeys.publish(journey("old", on_event("one"), emit("home")))
    publishing.archive(slug="old", now=now)
    publishing.save_draft(definition=journey("draft", on_event("one"), emit("home")), now=now)
    document = journey("a", on_event("home"), step("add_tag", tag="vip"), step("remove_tag", tag="other"), emit("one"))
    assert circles(document) == []


def test_the_live_version_of_the_journey_itself_is_not_looked_at_but_its_draft():
    journeys.publish(journey("b", on_event("one"), emit("home")))
    journeys.publish(journey("a", on_event("home"), emit("one")))  # a warning bars nothing
    assert circles(journey("a", on_event("elsewhere"), emit("one"))) == []


def test_all_live_journeys_are_read_in_one_statement_and_none_where_nothing_is_started():
    def cost(document: dict) -> int:
        with CaptureQueriesContext(connection) as queries:
            validate(document)
        return len(queries)

    few = cost(journey("a", on_event("home"), emit("one")))
    for n in range(12):
        journeys.publish(journey(f"j{n}", on_event(f"e{n}"), emit(f"e{n + 1}")))
    assert cost(journey("a", on_event("home"), emit("e0"))) == few
    assert cost(journey("a", on_event("home"), step("remove_tag", tag="x"))) == few - 1


def test_the_dialog_before_publishing_names_the_way(admin_client):
    journeys.publish(journey("nurture", on_event("warm"), emit("welcomed")))
    publishing.save_draft(definition=journey("welcome", on_event("welcomed"), emit("warm")), now=clock.now())
    asked = reverse("admin:workflows_workflow_publishing", args=[Workflow.objects.get(slug="welcome").pk])
    shown = admin_client.get(asked).content.decode()
    assert "Welcome → Nurture → Welcome" in shown and "Publish v1" in shown
