"""How an upper floor adds a field or a node, and what it may not do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from contacts.conditions import (
    BadCondition,
    Family,
    Field,
    NodeKind,
    Sql,
    builtin,
    explain,
    fields,
    matching_contacts,
    parse,
    register_family,
    register_field,
    register_node,
)
from tests.contacts.conditions.asking import holds, make_contact

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def own_registry(monkeypatch):
    """What a test registers is gone after it; what upper floors registered is not there during it."""
    monkeypatch.setattr(fields, "FIELDS", {n: f for n, f in fields.FIELDS.items() if n in BUILT_IN})
    monkeypatch.setattr(fields, "FAMILIES", {})
    for key in [key for key in builtin.NODES if key != "has_tag"]:
        monkeypatch.delitem(builtin.NODES, key)
    yield
    builtin.NODES.pop("in_list", None)


BUILT_IN = ("email", "external_id", "phone", "timezone", "locale", "region", "owner_email", "created_at")


def points(alias: str, now: datetime) -> Sql:
    return Sql(f"({alias}.attributes ->> %s)::double precision * %s", ["points", 0.5])


def test_a_registered_field_may_be_asked_and_explained(db):
    tree = {"field": "score", "op": "gte", "value": 60}
    with pytest.raises(BadCondition, match="unknown field score"):
        parse(tree)
    register_field(Field("score", "number", points, "lead score"))
    low, high, none = (make_contact(attributes=a) for a in ({"points": 119.9}, {"points": 120}, {}))
    assert matching_contacts(parse(tree), contact_ids=[low, high, none], now=NOW) == {high}
    assert matching_contacts(parse({"not": tree}), contact_ids=[low, high, none], now=NOW) == {low, none}
    assert explain(parse(tree)) == "lead score is at least 60"


@pytest.mark.parametrize(
    ("op", "value", "expected"),
    [
        ("eq", 60, True), ("ne", 60.5, True), ("gt", 59.999, True), ("lt", 60, False), ("in", [1, 60.0], True),
        ("not_in", [1, 2.5], True), ("exists", None, True), ("not_exists", None, False),
    ],
)  # fmt: skip
def test_a_number_field_takes_the_operators_of_numbers(db, op, value, expected):
    register_field(Field("score", "number", points, "score"))
    node = {"field": "score", "op": op} if value is None else {"field": "score", "op": op, "value": value}
    assert holds(node, make_contact(attributes={"points": 120}), NOW) is expected


def test_fields_of_every_type_may_be_missing(db):
    register_field(Field("stage", "text", lambda alias, now: Sql("NULL::text", []), "stage"))
    register_field(Field("active", "boolean", lambda alias, now: Sql("NULL::boolean", []), "active"))
    register_field(Field("seen", "instant", lambda alias, now: Sql("NULL::timestamptz", []), "seen"))
    contact_id = make_contact()
    for name, value in (("stage", "mql"), ("active", True), ("seen", "2026-01-01")):
        for op, expected in (("eq", False), ("ne", True), ("exists", False), ("not_exists", True)):
            node = {"field": name, "op": op} if op.endswith("exists") else {"field": name, "op": op, "value": value}
            assert holds(node, contact_id, NOW) is expected


def test_a_field_is_given_the_alias_and_the_clock(db):
    register_field(
        Field("age", "number", lambda alias, now: Sql(f"extract(day FROM %s - {alias}.created_at)", [now]), "age")
    )
    contact_id = make_contact(created_at=NOW - timedelta(days=9))
    assert holds({"field": "age", "op": "eq", "value": 9}, contact_id, NOW) is True
    assert holds({"field": "age", "op": "eq", "value": 10}, contact_id, NOW + timedelta(days=1)) is True


@pytest.mark.parametrize("name", ["email", "attributes", "event", "trigger", "a.b", "a b", ""])
def test_a_field_cannot_take_a_name_that_has_a_meaning(name):
    with pytest.raises(ValueError, match=r"registered already|cannot be the name"):
        register_field(Field(name, "text", lambda alias, now: Sql("''", []), "x"))


def test_a_field_has_a_type_of_the_language():
    with pytest.raises(ValueError, match="type is one of text, number, boolean, instant, json"):
        register_field(Field("score", "float", points, "score"))


def seats(*names: str) -> Family:
    """`seats.NAME` is the attribute NAME, twice."""
    return Family(
        prefix="seats",
        names=lambda: names,
        member=lambda name: Field(
            name, "number", lambda alias, now: Sql(f"2 * ({alias}.attributes ->> %s)::int", [name]), f"seats of {name}"
        ),
    )


def test_a_family_of_fields_may_be_asked_by_the_names_that_there_are(db):
    tree = {"field": "seats.left-hand", "op": "gte", "value": 8}
    register_family(seats("right"))
    with pytest.raises(BadCondition, match=r"unknown field seats\.left-hand") as refused:
        parse(tree)
    assert [(problem.path, problem.code) for problem in refused.value.problems] == [("field", "unknown_field")]
    fields.FAMILIES.clear()
    register_family(seats("left-hand", "right"))
    few, many, none = (make_contact(attributes=a) for a in ({"left-hand": 3}, {"left-hand": 4}, {"right": 9}))
    assert matching_contacts(parse(tree), contact_ids=[few, many, none], now=NOW) == {many}
    assert explain(parse(tree)) == "seats of left-hand is at least 8"
    assert parse(tree) != parse({**tree, "field": "seats.right"})
    with pytest.raises(BadCondition, match="does not go with"):
        parse({"field": "seats.right", "op": "contains", "value": "x"})


@pytest.mark.parametrize("name", ["seats", "seats.", "seats.left.more", "seats.Left"])
def test_no_other_name_of_a_family_is_known_nor_taken_for_an_attribute(name):
    register_family(seats("left"))
    with pytest.raises(BadCondition) as refused:
        parse({"field": name, "op": "exists"})
    assert [problem.code for problem in refused.value.problems] == ["unknown_field"]


def test_a_family_and_a_field_may_share_their_name(db):
    register_field(Field("seats", "number", lambda alias, now: Sql("1", []), "seats"))
    register_family(seats("left"))
    contact_id = make_contact(attributes={"left": 5})
    assert holds({"field": "seats", "op": "eq", "value": 1}, contact_id, NOW) is True
    assert holds({"field": "seats.left", "op": "eq", "value": 10}, contact_id, NOW) is True


@pytest.mark.parametrize("prefix", ["attributes", "event", "trigger", "a.b", "a b", "", "seats"])
def test_a_family_cannot_take_a_prefix_that_has_a_meaning(prefix):
    register_family(seats("left"))
    with pytest.raises(ValueError, match=r"registered already|cannot be the prefix"):
        register_family(Family(prefix, names=lambda: (), member=seats().member))


@pytest.mark.parametrize("key", ["in_list", "in_segment", "in_workflow"])
def test_a_node_that_no_floor_has_registered_is_unknown(key):
    with pytest.raises(BadCondition, match=f"has one of the keys all, any, not, field, event, has_tag; found {key}"):
        parse({key: "newsletter"})


def test_a_registered_node_may_be_asked_negated_and_explained(db):
    def in_list(name: str, alias: str, now: datetime) -> Sql:
        return Sql(f"{alias}.region = %s OR {alias}.locale = %s", [name, name])

    register_node("in_list", NodeKind(sql=in_list, sentence=lambda name: f"is in the list “{name}”"))
    inside, outside = make_contact(region="news"), make_contact()
    tree = {"in_list": "news"}
    assert holds({"not": tree}, inside, NOW) is False
    assert holds({"all": [tree, {"field": "region", "op": "exists"}]}, outside, NOW) is False
    assert explain(parse(tree)) == "is in the list “news”"


@pytest.mark.parametrize("key", ["has_tag", "all", "field", "event"])
def test_a_node_cannot_take_a_key_that_has_a_meaning(key):
    with pytest.raises(ValueError, match="registered already"):
        register_node(key, NodeKind(sql=lambda name, alias, now: Sql("TRUE", []), sentence=str))


def test_what_a_caller_does_to_the_parameters_stays_with_the_caller(db):
    from contacts.conditions import compile_condition

    compile_condition(parse({"all": []}), now=NOW).params.append(1)
    text, params = compile_condition(parse({"all": []}), now=NOW)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {text}", params)
        assert cursor.fetchone()[0] is True
