"""Every operator × every kind of field × every kind of value that stands there, missing and null among them, compared
with the plain reading of the contract in `oracle`."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from django.db import connection

from contacts.conditions import Field, Sql, compile_condition, fields, parse
from contacts.conditions.operators import OPERATORS
from tests.contacts.conditions.asking import EVERYWHERE
from tests.contacts.conditions.oracle import World, truth

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
ABSENT = object()
HELD = [
    ABSENT, None, "", "pro", "Pro Plus", "5", "true", "2026-03-04", "2026-03-01T08:00:00+02:00", "2026-02-30",
    5, 5.0, -2.5, 0, True, False, [], ["pro"], ["PRO", 5], [None], [["pro"]], {}, {"pro": 5}, {"k": None},
]  # fmt: skip
JSON_FIELDS = ["thing", "attributes.thing", "event.thing", "trigger.thing", "deep.er.thing"]
FIVE = {"ne", "not_in", "not_contains", "not_exists", "not_within_last"}
VALUES = {
    "scalar": ["", "pro", "5", 5, -2.5, True, False, "2026-03-04"],
    "order": [5, -2.5, "2026-03-04", "2026-03-01T06:00:00Z"],
    "member": ["pro", "PRO", 5, True],
    "text": ["pro", "PLUS", "5"],
    "instant": ["2026-03-04", "2026-03-01T06:00:00Z", "2026-03-05"],
    "list": [["pro", 5], [True, "5"], [-2.5, "2026-03-04"]],
    "window": ["P1D", "P7D"],
    "nothing": [None],
}


def node(name: object, op: str, value: object) -> dict:
    return {"field": name, "op": op} if value is None else {"field": name, "op": op, "value": value}


def answers(trees: list[dict], documents: list[dict]) -> list[list[bool | None]]:
    """Every tree of every document, which stands in the attributes, the event and the entry event at once."""
    compiled = [compile_condition(parse(tree, scope=EVERYWHERE), now=NOW) for tree in trees]
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT ARRAY[{', '.join(text for text, _ in compiled)}] "
            "FROM unnest(%s::jsonb[]) WITH ORDINALITY AS given(document, place) "
            "CROSS JOIN LATERAL (SELECT document AS attributes, COALESCE(document ->> 'thing', '') AS email) AS c "
            "CROSS JOIN LATERAL (SELECT document AS properties) AS e "
            "CROSS JOIN LATERAL (SELECT jsonb_build_object('properties', document) AS trigger) AS t ORDER BY place",
            [*(param for _, params in compiled for param in params), [json.dumps(each) for each in documents]],
        )
        return [row[0] for row in cursor.fetchall()]


def document(held: object) -> dict:
    inside = {} if held is ABSENT else {"thing": held}
    return {**inside, "deep": {"er": inside}}


@pytest.mark.parametrize("op", OPERATORS)
def test_an_operator_means_the_same_of_attributes_properties_and_entry_events(op):
    trees = [node(name, op, value) for name in JSON_FIELDS for value in VALUES[OPERATORS[op].takes]]
    documents = [document(held) for held in HELD]
    different = []
    for held, truths in zip(documents, answers(trees, documents), strict=True):
        contact = {"email": "", "region": "", "created_at": NOW, "attributes": held}
        world = World(NOW, contact, event=("", None, held), trigger={"properties": held})
        different += [
            (tree, held, answer) for tree, answer in zip(trees, truths, strict=True) if answer is not truth(tree, world)
        ]
    assert different == []


def number_of_thing(alias: str, now: datetime) -> Sql:
    return Sql(f"CASE WHEN jsonb_typeof({alias}.attributes -> 'thing') = 'number' "
               f"THEN ({alias}.attributes ->> 'thing')::numeric END", [])  # fmt: skip


TYPED = {
    "a_number": ("number", number_of_thing),
    "a_boolean": ("boolean", lambda alias, now: Sql(
        f"CASE WHEN jsonb_typeof({alias}.attributes -> 'thing') = 'boolean' "
        f"THEN ({alias}.attributes ->> 'thing')::boolean END", [])),
    "an_instant": ("instant", lambda alias, now: Sql(f"instant_of({alias}.attributes -> 'thing')", [])),
    "a_text": ("text", lambda alias, now: Sql(
        f"CASE WHEN jsonb_typeof({alias}.attributes -> 'thing') = 'string' "
        f"THEN {alias}.attributes ->> 'thing' END", [])),
}  # fmt: skip
OF_TYPE = {
    "number": lambda value: type(value) in (int, float),
    "boolean": lambda value: type(value) is bool,
    "text": lambda value: isinstance(value, str) and value != "",
    "instant": lambda value: isinstance(value, str) and value[:10] in ("2026-03-04", "2026-03-01"),
}


@pytest.fixture
def typed(monkeypatch):
    """Fields as upper floors register them: of every type, and missing where the attribute is of another."""
    for name, (kind, sql) in TYPED.items():
        monkeypatch.setitem(fields.FIELDS, name, Field(name, kind, sql, name))


def _single(kind: str) -> list[str]:
    """The operators of a type that take one value, or none."""
    return [op for op, operator in OPERATORS.items() if kind in operator.sql and operator.takes != "list"]


@pytest.mark.parametrize(
    ("name", "op"),
    [(name, op) for name, (kind, _) in TYPED.items() for op in _single(kind)],
)
def test_a_registered_field_of_every_type_takes_its_operators(typed, name, op):
    kind, _ = TYPED[name]
    fitting = [value for value in VALUES[OPERATORS[op].takes] if _fits(kind, op, value)]
    assert fitting
    documents = [document(held) for held in HELD]
    trees = [node(name, op, value) for value in fitting]
    for held, truths in zip(HELD, answers(trees, documents), strict=True):
        kept = held if OF_TYPE[kind](held) else ABSENT
        world = World(NOW, {"attributes": {} if kept is ABSENT else {name: kept}})
        for tree, answer in zip(trees, truths, strict=True):
            assert answer is _expected(kind, tree, world), (tree, held)


def _fits(kind: str, op: str, value: object) -> bool:
    if OPERATORS[op].takes in ("window", "nothing"):
        return True
    return OF_TYPE[kind](value) or (kind == "instant" and value == "2026-03-05")


def _expected(kind: str, tree: dict, world: World) -> bool:
    """The oracle reads instants out of text by itself, except for equality, where text is text."""
    if kind != "instant" or tree["op"] not in ("eq", "ne"):
        return truth(tree, world)
    both = {"all": [{**tree, "op": "gte"}, {**tree, "op": "lte"}]}
    return truth(both, world) is (tree["op"] == "eq")


@pytest.mark.parametrize("op", [op for op in OPERATORS if OPERATORS[op].takes == "list"])
@pytest.mark.parametrize(
    ("name", "values"),
    [("a_number", [5, 7]), ("a_text", ["pro", "x"]), ("a_boolean", [True]), ("an_instant", ["2026-03-04"])],
)
def test_lists_go_with_every_type_of_field(typed, op, name, values):
    (truths,) = answers([node(name, op, values)], [document(values[0])])
    assert truths == [op == "in"]
    (missing,) = answers([node(name, op, values)], [document(ABSENT)])
    assert missing == [op == "not_in"]


@pytest.mark.parametrize("name", [*JSON_FIELDS, "email", *TYPED, ["attributes", "thing"], ["event", "thing"]])
@pytest.mark.parametrize("held", [ABSENT, None])
def test_of_a_missing_field_only_five_operators_are_true(typed, name, held):
    kind = "text" if name == "email" else TYPED[name][0] if isinstance(name, str) and name in TYPED else "json"
    some = {"scalar": "pro", "order": 5, "member": "pro", "text": "pro", "instant": "2026-03-04", "list": ["pro"]}
    some |= {"window": "P1D", "nothing": None}
    per_type = {"number": 5, "boolean": True, "instant": "2026-03-04"}
    asked = [op for op, operator in OPERATORS.items() if kind in operator.sql]
    trees = []
    for op in asked:
        value = some[OPERATORS[op].takes]
        if kind in per_type and OPERATORS[op].takes in ("scalar", "order", "list"):
            value = [per_type[kind]] if OPERATORS[op].takes == "list" else per_type[kind]
        trees.append(node(name, op, value))
    (truths,) = answers(trees, [document(held)])
    assert {op for op, answer in zip(asked, truths, strict=True) if answer} == FIVE & set(asked)
