"""Experiments over HTTP."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from analytics.experiments import outcomes
from analytics.models import Experiment, ExperimentOutcome
from contacts import clock
from tests import journeys
from tests.contacts.conftest import Api, make_key
from workflows.models import Workflow

pytestmark = pytest.mark.django_db(transaction=True)

URL = "/api/v1/experiments/"


@pytest.fixture
def reader() -> Api:
    return Api(make_key("workflows:read"))


@pytest.fixture
def writer() -> Api:
    return Api(make_key("workflows:read", "workflows:write"))


@pytest.fixture
def published() -> None:
    variants = [{"key": "story", "weight": 45}, {"key": "offer", "weight": 45}, {"key": "holdout", "weight": 10}]
    split = journeys.step("experiment", {each["key"]: None for each in variants}, experiment="story-or-offer",
                          variants=variants)  # fmt: skip
    journeys.publish(journeys.definition({"split": split}, exit={"goal": [{"event": "subscribed"}]}))


def send(api: Api, method: str, path: str, body: object) -> Any:
    return api.call(method, path, json.dumps(body).encode())


def follow() -> None:
    while True:
        with transaction.atomic():
            if not outcomes.work(now=clock.now()):
                return


def test_an_experiment_is_there_as_soon_as_it_is_published(reader, published):
    body = reader.get(f"{URL}story-or-offer/results").json()
    assert [each["key"] for each in body["variants"]] == ["story", "offer", "holdout"]
    assert [each["is_base"] for each in body["variants"]] == [False, False, True]
    assert body["goal"] == {"event": "subscribed"} and body["verdict"]["kind"] == "keep_running"
    assert [each["slug"] for each in reader.get(URL).json()["results"]] == ["story-or-offer"]
    assert reader.get(f"{URL}nothing/results").status_code == 404


def test_results_count_who_was_assigned_and_who_converted_so_far(reader, published):
    people = journeys.contacts(40)
    journeys.track(people, "signed_up")
    journeys.run()
    follow()
    journeys.track(people[:10], "subscribed")
    variants = reader.get(f"{URL}story-or-offer/results").json()["variants"]
    assert sum(each["assigned"] for each in variants) == 40
    assert sum(each["converted_so_far"] for each in variants) == 10
    assert sum(each["converted"] for each in variants) == 0


def test_what_it_asks_is_changed_and_asked_anew_of_everybody(writer, published):
    journeys.track(journeys.contacts(5), "signed_up")
    journeys.run()
    writer.get(f"{URL}story-or-offer/")
    follow()
    assert ExperimentOutcome.objects.count() == 5
    answer = send(writer, "PATCH", f"{URL}story-or-offer/", {"window": "PT2H", "base": "story", "alpha": 0.01})
    assert (answer.status_code, answer.json()["window"], answer.json()["base"]) == (200, "PT2H", "story")
    assert not ExperimentOutcome.objects.exists()
    follow()
    row = ExperimentOutcome.objects.first()
    assert row.matures_at - row.assigned_at == timedelta(hours=2)


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"alpha": 0.7}, ["alpha"]),
        ({"alpha": True}, ["alpha"]),
        ({"goal": {"event": ""}}, ["goal", "event"]),
        ({"goal": {"stage": "king"}}, ["goal"]),
        ({"goal": {"event": "a", "where": {"field": "event.x", "op": "like", "value": 1}}}, ["goal", "where", "op"]),
        ({"window": "soon"}, ["window"]),
        ({"window": "P9Y"}, ["window"]),
        ({"method": "guess"}, ["method"]),
        ({"rate": 1}, ["rate"]),
        ({"guardrails": [{"name": "x"}]}, ["guardrails", 0]),
        ({"guardrails": [{"name": "x", "event": "y", "limit": 2}]}, ["guardrails", 0, "limit"]),
        ({"colour": "red"}, ["colour"]),
        ({"alpha": 10**400}, ["alpha"]),
        ({"goal": {"goal": "a\x00"}}, ["goal", "goal"]),
        ({"goal": {"stage": {}}}, ["goal"]),
        ({"method": []}, ["method"]),
        ({"guardrails": [{"name": "a\x00", "event": "y", "limit": 0}]}, ["guardrails", 0, "name"]),
        ({"guardrails": [{"name": "x", "event": {}, "limit": 0}]}, ["guardrails", 0, "event"]),
        ({"window": "P99999999999D"}, ["window"]),
        ({"base": "king"}, ["base"]),
        ({"title": 7}, ["title"]),
    ],
)
def test_a_mistake_is_named_by_its_place_and_changes_nothing(writer, published, body, place):
    before = writer.get(f"{URL}story-or-offer/").json()
    answer = send(writer, "PATCH", f"{URL}story-or-offer/", body)
    assert answer.status_code == 400
    assert [error["loc"] for error in answer.json()["errors"]] == [place]
    assert writer.get(f"{URL}story-or-offer").json() == before


def test_a_decision_needs_a_variant_that_exists_and_a_reason(writer, reader, published):
    decide = f"{URL}story-or-offer/decide"
    assert send(writer, "POST", decide, {"variant": "king", "reason": "x"}).json()["errors"][0]["loc"] == ["variant"]
    assert send(writer, "POST", decide, {"variant": "story"}).json()["errors"][0]["loc"] == ["reason"]
    assert send(reader, "POST", decide, {"variant": "story", "reason": "x"}).status_code == 403
    answer = send(writer, "POST", decide, {"variant": "story", "reason": "It won."})
    assert answer.status_code == 200
    experiment = Experiment.objects.get()
    assert (experiment.state, experiment.decision, experiment.reason) == ("decided", "story", "It won.")
    assert experiment.decided_by
    assert send(writer, "POST", decide, {"variant": "offer", "reason": "No."}).status_code == 409
    assert send(writer, "PATCH", f"{URL}story-or-offer/", {"alpha": 0.01}).status_code == 409


def test_the_winner_is_rolled_out_by_who_may_publish(writer, published):
    publisher = Api(make_key("workflows:read", "workflows:publish"))
    roll_out = f"{URL}story-or-offer/roll-out"
    Workflow.objects.update(name="x")
    seen = publisher.get(f"{roll_out}?variant=story")
    assert seen.status_code == 409 and "nothing would be left" in seen.json()["detail"]
    assert publisher.get(f"{roll_out}?variant=king").json()["errors"][0]["loc"] == ["variant"]
    steps = {
        "tag": journeys.step("add_tag", {"next": "split"}, tag="entered"),
        "split": Workflow.objects.get().draft["steps"]["split"],
    }
    journeys.publish(journeys.definition(steps, exit={"goal": [{"event": "subscribed"}]}))
    seen = publisher.get(f"{roll_out}?variant=story").json()
    assert (seen["after_version"], seen["is_possible"]) == (2, True)
    assert {change["step"] for change in seen["changes"]} == {"split", "tag"}
    body = {"variant": "story", "reason": "It won.", "after_version": 2}
    assert send(writer, "POST", roll_out, body).status_code == 403
    assert send(publisher, "POST", roll_out, {**body, "after_version": 1}).status_code == 409
    assert send(publisher, "POST", roll_out, {**body, "after_version": "2"}).json()["errors"][0]["loc"] == [
        "after_version"
    ]
    assert send(publisher, "POST", roll_out, {**body, "reason": ["x"]}).status_code == 400
    answer = send(publisher, "POST", roll_out, body)
    assert (answer.status_code, answer.json()["rolled_out_in"]) == (200, 3)
    assert send(publisher, "POST", roll_out, {**body, "after_version": 3}).status_code == 409
