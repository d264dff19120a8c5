"""Every operator × type × missing, as a table; each row is asked of PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from contacts.conditions import parse
from contacts.conditions.operators import OPERATORS
from tests.contacts.conditions.asking import EVERYWHERE, holds, holds_for, make_contact

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
ABSENT = object()
ODD = [ABSENT, None]  # both are "missing"
POSITIVES = {"ne": "eq", "not_in": "in", "not_contains": "contains", "not_exists": "exists"}
POSITIVES["not_within_last"] = "within_last"

# (operator, value, attributes for which it is true, attributes for which it is false); missing ones are added to all
TABLE = [
    ("eq", "Director", ["Director"], ["director", "Director ", "", 0, True, ["Director"], {"a": "Director"}]),
    ("eq", "", [""], [" ", 0, False, [], {}]),
    ("eq", "5", ["5"], [5, 5.0, "5.0", ["5"]]),
    ("eq", 5, [5, 5.0], ["5", 5.5, True, [5]]),
    ("eq", 0, [0, 0.0, -0.0], ["0", "", False, []]),
    ("eq", 0.1, [0.1], [0.1 + 1e-16, "0.1", 0.10001]),
    ("eq", 9007199254740993, [9007199254740993], [9007199254740992]),
    ("eq", True, [True], [False, "true", 1, [True]]),
    ("eq", False, [False], [True, "false", 0, ""]),
    ("in", ["US", "GB"], ["US", "GB"], ["us", "DE", "", 1, ["US"]]),
    ("in", [1, 2.5, "3", True], [1, 1.0, 2.5, "3", True], ["1", 3, False, "true"]),
    ("gt", 10, [10.5, 11], [10, 9, "11", "2030-01-01", True, [11]]),
    ("gte", 10, [10, 10.0, 11], [9.999, "10", False]),
    ("lt", 10, [9.5, -11], [10, 11, "9", "", True]),
    ("lte", 10, [10, -1], [10.001, "10", [1]]),
    ("lte", -2.5, [-2.5, -3], [0, "-3"]),
    ("gt", "2026-03-01", ["2026-03-02", "2026-03-01T00:00:01Z"], ["2026-03-01", "2026-02-30", "soon", 20260302]),
    ("gte", "2026-03-01", ["2026-03-01", "2026-03-01T02:00:00+02:00"], ["2026-02-28", "", 1]),
    ("lt", "2026-03-01T10:00:00+02:00", ["2026-03-01T07:59:59Z"], ["2026-03-01T08:00:00Z", "2026-03-01T08:00"]),
    ("lte", "2026-03-01T08:00:00Z", ["2026-03-01 08:00"], ["2026-03-01T08:00:00.000001Z", "x"]),
    ("contains", "Direct", ["Director", "art DIRECTION"], ["Manager", "", 5, True, ["Director"], {"Direct": 1}]),
    ("contains", "größe", ["Schuhgröße", "SCHUHGRÖßE"], ["Grosse"]),
    ("contains", "100%", ["100% cotton"], ["100 cotton", "1000 %"]),
    ("contains", "a_b", ["xa_bx", "A_B"], ["axb", "a\\_b"]),
    ("contains", "\\", ["back\\slash"], ["slash"]),
    ("contains", "news", [["news"], ["x", "News"]], [["newsletter"], [], [["news"]], {"news": 1}]),
    ("contains", 5, [[5], ["x", 5.0]], [5, "5", ["5"], [[5]], []]),
    ("contains", True, [[True]], [True, ["true"], [1], "true"]),
    ("starts_with", "dir", ["Director", "dir"], ["a director", "di", 1, ["Director"]]),
    ("starts_with", "5%", ["5% off"], ["50% off", 5]),
    ("ends_with", "TOR", ["Director", "tor"], ["Directors", "or", "", ["tor"]]),
    ("ends_with", "_x", ["a_x"], ["abx"]),
    ("before", "2026-03-01", ["2026-02-28T23:59:59Z", "1999-01-01"], ["2026-03-01", "2026-03-02", "x", 5, True]),
    ("before", "2026-03-01T00:00:00-05:00", ["2026-03-01T04:59Z"], ["2026-03-01T05:00Z"]),
    ("after", "2026-03-01", ["2026-03-01T00:00:00.5Z", "2026-03-02"], ["2026-03-01", "2026-02-31", "", 9e9, ["2027"]]),
    ("within_last", "P7D", ["2026-03-04T12:00:00Z", "2026-03-04", "2026-02-25T12:00:01Z"],
     ["2026-02-25T12:00:00Z", "2026-03-04T12:00:01Z", "2026-03-05", "yesterday", 1, True, ["2026-03-04"]]),
    ("within_last", "PT2H", ["2026-03-04T13:00:00+02:00"], ["2026-03-04", "2026-03-04T13:00:00+05:00"]),
    ("exists", None, ["", "x", 0, False, [], {}, "null"], []),
]  # fmt: skip


def ask(op: str, value: object, attribute: object) -> bool | None:
    node = {"field": "thing", "op": op} if value is None else {"field": "thing", "op": op, "value": value}
    attributes = {} if attribute is ABSENT else {"thing": attribute}
    return holds_for(parse(node), NOW, contact={"attributes": attributes}, event={"id": 1}, trigger={})


@pytest.mark.parametrize(("op", "value", "matching", "others"), TABLE)
def test_an_operator_is_true_of_these_attributes_and_of_no_others(op, value, matching, others):
    assert [a for a in matching if ask(op, value, a) is not True] == []
    assert [a for a in [*others, *ODD] if ask(op, value, a) is not False] == []


@pytest.mark.parametrize(
    ("op", "value", "others", "matching"),
    [(negative, *row[1:]) for negative, positive in POSITIVES.items() for row in TABLE if row[0] == positive],
)
def test_a_negative_operator_is_the_exact_opposite_also_of_what_is_missing(op, value, others, matching):
    assert [a for a in [*matching, *ODD] if ask(op, value, a) is not True] == []
    assert [a for a in others if ask(op, value, a) is not False] == []


def test_the_table_has_a_row_for_every_operator():
    assert {row[0] for row in TABLE} | set(POSITIVES) == set(OPERATORS)


def test_a_missing_field_makes_every_operator_false_except_five():
    values = {"scalar": 1, "order": 1, "member": "x", "text": "x", "list": [1], "instant": "2026-01-01"}
    values |= {"window": "P1D", "nothing": None}
    true = {name for name, operator in OPERATORS.items() if ask(name, values[operator.takes], ABSENT)}
    assert true == {"ne", "not_in", "not_contains", "not_exists", "not_within_last"}


# -- columns of the contact --------------------------------------------------------------------------------------------

FULL = {
    "email": "Ann@Example.com", "external_id": "ext-1", "phone": "+4912345", "timezone": "Europe/Berlin",
    "locale": "de_DE", "region": "EU", "owner_email": "sam@example.com", "created_at": NOW - timedelta(days=3),
}  # fmt: skip
COLUMNS = [
    ("email", "eq", "Ann@Example.com", True, False),
    ("email", "eq", "ann@example.com", False, False),
    ("email", "ne", "x@example.com", True, True),
    ("email", "in", ["x", "Ann@Example.com"], True, False),
    ("email", "not_in", ["x"], True, True),
    ("email", "contains", "@EXAMPLE", True, False),
    ("email", "not_contains", "@example", False, True),
    ("email", "starts_with", "ANN", True, False),
    ("email", "ends_with", ".COM", True, False),
    ("email", "exists", None, True, False),
    ("email", "not_exists", None, False, True),
    ("external_id", "eq", "ext-1", True, False),
    ("phone", "starts_with", "+49", True, False),
    ("timezone", "eq", "Europe/Berlin", True, False),
    ("locale", "starts_with", "de_", True, False),
    ("region", "ne", "EU", False, True),
    ("owner_email", "exists", None, True, False),
]


@pytest.mark.parametrize(("name", "op", "value", "of_full", "of_empty"), COLUMNS)
def test_an_empty_column_counts_as_missing(name, op, value, of_full, of_empty):
    node = {"field": name, "op": op} if value is None else {"field": name, "op": op, "value": value}
    assert holds(node, make_contact(**FULL), NOW) is of_full
    assert holds(node, make_contact(), NOW) is of_empty


@pytest.mark.parametrize(
    ("op", "value", "expected"),
    [
        ("before", "2026-03-01T12:00:01Z", True),
        ("before", "2026-03-01T12:00:00Z", False),
        ("after", "2026-03-01", True),
        ("after", "2026-03-01T14:00:00+02:00", False),
        ("eq", "2026-03-01T14:00:00+02:00", True),
        ("in", ["2020-01-01", "2026-03-01T12:00:00Z"], True),
        ("gte", "2026-03-01T12:00:00Z", True),
        ("lt", "2026-03-01", False),
        ("within_last", "P4D", True),
        ("within_last", "P3D", False),
        ("not_within_last", "P3D", True),
        ("exists", None, True),
    ],
)
def test_the_creation_date_is_compared_as_an_instant(op, value, expected):
    node = {"field": "created_at", "op": op} if value is None else {"field": "created_at", "op": op, "value": value}
    assert holds(node, make_contact(**FULL), NOW) is expected


@pytest.mark.parametrize(
    ("name", "attributes", "expected"),
    [
        ("plan", {"plan": "pro"}, True),
        ("attributes.plan", {"plan": "pro"}, True),
        ("attributes.email", {"email": "pro"}, True),
        ("attributes.score", {"score": "pro"}, True),
        ("company.plan", {"company": {"plan": "pro"}}, True),
        ("attributes.a.b.c", {"a": {"b": {"c": "pro"}}}, True),
        ("company.plan", {"company.plan": "pro"}, False),
        ("company.plan", {"company": "pro"}, False),
        ("items.0", {"items": ["pro"]}, False),
        ("First Name", {"First Name": "pro"}, True),
        ("größe", {"größe": "pro"}, True),
        (["attributes", "company.plan"], {"company.plan": "pro"}, True),
        (["attributes", "company.plan"], {"company": {"plan": "pro"}}, False),
        (["attributes", "company", "plan"], {"company": {"plan": "pro"}}, True),
        (["attributes", "a.b", "c"], {"a.b": {"c": "pro"}}, True),
        (["attributes", "email"], {"email": "pro"}, True),
    ],
)
def test_names_lead_into_the_attributes(name, attributes, expected):
    contact = make_contact(attributes=attributes, email="someone@example.com")
    assert holds({"field": name, "op": "eq", "value": "pro"}, contact, NOW) is expected


def test_a_property_that_is_called_like_a_part_of_its_event_is_reached_by_a_list():
    at = "2026-03-04T10:00:00Z"
    properties = {"type": "gift", "occurred_at": "yesterday", "a.b": 1}
    event = {"type": "bought", "occurred_at": NOW, "properties": properties}
    trigger = {"type": "bought", "occurred_at": at, "properties": properties}

    def ask_of(name: object, value: object) -> bool | None:
        condition = parse({"field": name, "op": "eq", "value": value}, scope=EVERYWHERE)
        return holds_for(condition, NOW, contact={"attributes": {}}, event=event, trigger=trigger)

    for space in ("event", "trigger"):
        assert ask_of(f"{space}.type", "bought") is True
        assert ask_of([space, "type"], "gift") is True
        assert ask_of([space, "type"], "bought") is False
        assert ask_of([space, "occurred_at"], "yesterday") is True
        assert ask_of([space, "a.b"], 1) is True
        assert ask_of(f"{space}.a.b", 1) is False
    assert ask_of("trigger.occurred_at", at) is True
    assert ask_of(["event", "type"], {"ref": ["trigger", "type"]}) is True
    assert ask_of("event.type", {"ref": ["trigger", "type"]}) is False


def test_windows_shrink_when_the_installation_runs_faster_than_life(settings):
    contact = make_contact(created_at=NOW - timedelta(hours=3), attributes={"seen_at": "2026-03-04T09:00:00Z"})
    trees = [{"field": name, "op": "within_last", "value": "P1D"} for name in ("created_at", "seen_at")]
    assert [holds(tree, contact, NOW) for tree in trees] == [True, True]
    settings.TIME_SPEED = 24.0
    assert [holds(tree, contact, NOW) for tree in trees] == [False, False]
