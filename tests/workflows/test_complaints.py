"""What does not fit the shape of a definition is said in the words of the house."""

import pytest

from tests.journeys import definition, step
from workflows.definition.validation import validate

pytestmark = pytest.mark.django_db

TAG = {"tag": step("add_tag", tag="t")}


def problem(document: object) -> tuple[str | None, str, str]:
    first = validate(document)[0]
    return first.step, first.field, first.message


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"foo": 1}, "foo", "there is no such field"),
        ({"schema": 2}, "schema", "expected 1"),
        ({"start": 5}, "start", "expected a text"),
        ({"name": ""}, "name", "must not be empty"),
        ({"name": "n" * 300}, "name", "must have at most 200 characters"),
        ({"slug": "G G"}, "slug", "expected small letters, digits and hyphens"),
        ({"steps": []}, "steps", "expected an object"),
        ({"steps": {}}, "steps", "there is no step yet: add the first one"),
        ({"steps": {"tag": 5}}, "steps.tag", "expected an object"),
        ({"settings": {"lane": 5}}, "settings.lane", "expected one of urgent, bulk"),
        ({"settings": {"priority": 11}}, "settings.priority", "must be at most 10"),
        ({"settings": {"priority": 0}}, "settings.priority", "must be at least 1"),
        ({"settings": {"priority": "high"}}, "settings.priority", "expected a whole number"),
        ({"settings": {"priority": 1.5}}, "settings.priority", "expected a whole number"),
        ({"settings": {"rollout_percent": "all"}}, "settings.rollout_percent", "expected a number"),
        ({"settings": {"snapshot_attributes": 7}}, "settings.snapshot_attributes", "expected true or false"),
        ({"settings": {"quiet_hours": {"from": "22:00"}}}, "settings.quiet_hours.to", "is missing"),
        (
            {"settings": {"quiet_hours": {"from": "22:00", "to": "8"}}},
            "settings.quiet_hours.to",
            "expected a time of day such as 09:30",
        ),
        ({"exit": {"goal": {}}}, "exit.goal", "expected a list"),
        ({"exit": {"goal": [{}]}}, "exit.goal.0", "say either an event or a condition"),
        ({"entry": {"trigger": {}}}, "entry.trigger.type", "is missing"),
        ({"entry": {"trigger": {"type": "event"}}}, "entry.trigger.event", "is missing"),
    ],
)
def test_the_envelope(changes, field, message):
    assert problem({**definition(TAG), **changes})[1:] == (field, message)


def test_a_trigger_that_is_unknown_is_told_with_those_that_there_are():
    step_key, field, message = problem(definition(TAG, entry={"trigger": {"type": "nope"}}))
    assert (step_key, field) == (None, "entry.trigger.type")
    assert message.startswith("there is no trigger 'nope'; there are event, tag_added, ")


def test_the_key_of_a_step():
    key, _, message = problem(definition({"a b": TAG["tag"]}, start="tag"))
    assert (key, message) == ("a b", "a step's key has 1 to 60 letters, digits, hyphens and underscores")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "is missing"),
        ({"mode": "nope"}, "expected one of duration, local_time, until, date_attribute"),
        ({"mode": "duration", "for": "P1Y", "x": 1}, "there is no such field"),
    ],
)
def test_the_settings_of_a_step(config, message):
    assert message in [each.message for each in validate(definition({"wait": step("wait", **config)}))]


@pytest.mark.parametrize("document", [[], 5, "text", None])
def test_what_is_no_object(document):
    assert problem(document) == (None, "", "expected an object")
