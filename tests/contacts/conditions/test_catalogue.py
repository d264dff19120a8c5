"""What the catalogue offers to whoever draws a condition."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from contacts.conditions import NodeKind, Sql, builtin, catalogue, parse
from contacts.conditions.operators import OPERATORS
from contacts.models import List, SeenEvent, Segment, Tag
from tests.contacts.conditions.asking import EVERYWHERE, make_contact

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _afresh():
    catalogue.forget()
    yield
    catalogue.forget()


def seen(event_type: str, name: str = "", value_type: str = "") -> None:
    SeenEvent.objects.create(
        event_type=event_type, property=name, value_type=value_type, first_seen_at=NOW, last_seen_at=NOW
    )


def attributes() -> dict[str, dict]:
    return {each["label"]: each for each in catalogue.describe()["attributes"]}


def test_every_field_comes_with_its_type_its_label_and_the_operators_that_it_takes():
    fields = {each["field"]: each for each in catalogue.describe()["fields"]}
    assert fields["owner_email"]["label"] == "owner’s email"
    assert fields["created_at"]["type"] == "instant"
    for field in fields.values():
        for name in field["operators"]:
            assert field["type"] in OPERATORS[name].sql
    assert "contains" not in fields["created_at"]["operators"]
    assert {choice["value"] for choice in fields["lifecycle_stage"]["choices"]} >= {"lead", "mql", "customer"}


def test_every_operator_is_offered_once_and_a_negative_one_right_after_its_positive_one():
    names = [each["name"] for each in catalogue.describe()["operators"]]
    assert sorted(names) == sorted(OPERATORS)
    for negative, positive in (("ne", "eq"), ("not_in", "in"), ("not_exists", "exists")):
        assert names.index(negative) == names.index(positive) + 1


def test_attributes_are_offered_with_the_types_that_were_seen_of_them():
    make_contact(attributes={"plan": "pro", "seats": 5, "born": "1990-05-01", "company": {"size": 12, "tags": ["a"]}})
    make_contact(attributes={"plan": None, "seats": "five", "beta": True})
    found = {label: each["types"] for label, each in attributes().items()}
    assert found == {
        "plan": ["text"],
        "seats": ["number", "text"],
        "born": ["instant"],
        "beta": ["boolean"],
        "company.size": ["number"],
        "company.tags": ["list"],
    }


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"plan": 1}, "plan"),
        ({"email": 1}, "attributes.email"),
        ({"score": 1}, "attributes.score"),
        ({"a.b": 1}, ["attributes", "a.b"]),
        ({"event": {"x": 1}}, "attributes.event.x"),
        ({"a": {"b.c": 1}}, ["attributes", "a", "b.c"]),
    ],
)
def test_an_attribute_is_named_so_that_a_condition_means_it(given, field):
    make_contact(attributes=given)
    (offered,) = catalogue.describe()["attributes"]
    assert offered["field"] == field
    condition = parse({"field": field, "op": "exists"}, scope=EVERYWHERE)
    assert condition.target.space == "attributes"


def test_what_cannot_be_asked_about_is_not_offered():
    make_contact(attributes={"": 1, "x" * 300: 1, "line\nbreak": 1, "fine": 1})
    assert list(attributes()) == ["fine"]


def test_values_that_several_contacts_share_are_offered_and_nobody_s_own():
    for number in range(catalogue.SHARED_BY):
        make_contact(attributes={"plan": "pro", "secret": f"own {number}"}, timezone="Europe/Berlin")
    make_contact(attributes={"plan": "rare"}, timezone="Asia/Tokyo")
    offered = attributes()
    assert [each["value"] for each in offered["plan"]["choices"]] == ["pro"]
    assert offered["secret"]["choices"] == []
    fields = {each["field"]: each for each in catalogue.describe()["fields"]}
    assert [each["value"] for each in fields["timezone"]["choices"]] == ["Europe/Berlin"]


def test_whoever_was_merged_or_erased_is_not_looked_at():
    survivor = make_contact(attributes={"kept": 1})
    make_contact(attributes={"merged": 1}, merged_into_id=survivor)
    make_contact(attributes={"erased": 1}, erased_at=NOW)
    assert list(attributes()) == ["kept"]


def test_events_are_offered_with_their_properties():
    seen("bought")
    seen("bought", "total", "number")
    seen("bought", "total", "null")
    seen("bought", "type", "string")
    seen("bought", "a.b", "array")
    (event,) = catalogue.describe()["events"]
    assert event == {
        "type": "bought",
        "properties": [
            {"field": ["event", "a.b"], "label": "a.b", "types": ["list"]},
            {"field": "event.total", "label": "total", "types": ["number"]},
            {"field": ["event", "type"], "label": "type", "types": ["text"]},
        ],
    }


def test_nodes_come_with_the_names_that_there_are(monkeypatch):
    Tag.objects.create(name="vip")
    List.objects.create(slug="news", name="Newsletter")
    Segment.objects.create(slug="active", name="Active", condition={"all": []})
    kind = NodeKind(sql=lambda name, alias, now: Sql("TRUE", []), sentence=lambda name: f"is in the journey “{name}”")
    monkeypatch.setitem(builtin.NODES, "in_workflow", kind)
    monkeypatch.setitem(catalogue._choices, "in_workflow", lambda: [("trial", "Trial")])
    nodes = {each["key"]: each for each in catalogue.describe()["nodes"]}
    assert nodes["has_tag"] == {
        "key": "has_tag", "words": "has the tag", "choices": [{"value": "vip", "label": "vip"}]
    }  # fmt: skip
    assert nodes["in_list"]["choices"] == [{"value": "news", "label": "Newsletter"}]
    assert nodes["in_segment"]["choices"] == [{"value": "active", "label": "Active"}]
    assert nodes["in_workflow"]["words"] == "is in the journey"
    assert nodes["in_workflow"]["choices"] == [{"value": "trial", "label": "Trial"}]


def test_contacts_are_looked_at_once_in_a_while_and_names_are_always_fresh():
    catalogue.describe()
    make_contact(attributes={"plan": "pro"})
    Tag.objects.create(name="new")
    described = catalogue.describe()
    assert described["attributes"] == []
    assert {"value": "new", "label": "new"} in next(n for n in described["nodes"] if n["key"] == "has_tag")["choices"]
    catalogue.forget()
    assert list(attributes()) == ["plan"]


def test_the_number_of_statements_does_not_depend_on_what_was_seen():
    def statements() -> int:
        catalogue.forget()
        with CaptureQueriesContext(connection) as asked:
            catalogue.describe()
        return len(asked)

    before = statements()
    for number in range(20):
        seen(f"event {number}")
        seen(f"event {number}", "total", "number")
        make_contact(attributes={f"attribute {number}": number})
    assert statements() == before
