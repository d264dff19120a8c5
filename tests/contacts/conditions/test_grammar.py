"""What is refused, with the path and kind of every mistake; and that no input can do harm."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contacts.conditions import BadCondition, compile_condition, parse
from contacts.conditions.tree import MAX_DEPTH, MAX_LIST, MAX_NODES, MAX_TEXT
from tests.contacts.conditions.asking import EVERYWHERE, holds, make_contact

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
GOOD = {"field": "plan", "op": "eq", "value": "pro"}


def problems(tree: object, **options) -> list[tuple[str, str]]:
    with pytest.raises(BadCondition) as caught:
        parse(tree, **options)
    assert caught.value.problems
    assert all(problem.message for problem in caught.value.problems)
    return [(problem.path, problem.code) for problem in caught.value.problems]


MISTAKES = [
    (None, ("", "not_an_object")),
    ([GOOD], ("", "not_an_object")),
    ("plan = pro", ("", "not_an_object")),
    ({}, ("", "unknown_node")),
    ({"or": [GOOD]}, ("", "unknown_node")),
    ({1: GOOD}, ("", "unknown_node")),
    ({"in_castle": "x"}, ("", "unknown_node")),
    ({"all": [], "any": []}, ("", "unknown_node")),
    ({**GOOD, "event": "x"}, ("", "unknown_node")),
    ({"all": GOOD}, ("all", "not_a_list")),
    ({"any": None}, ("any", "not_a_list")),
    ({"not": [GOOD]}, ("not", "not_an_object")),
    ({"all": [], "note": "x"}, ("note", "unknown_key")),
    ({"has_tag": "vip", "op": "eq"}, ("op", "unknown_key")),
    ({"has_tag": ""}, ("has_tag", "wrong_value")),
    ({"has_tag": ["vip"]}, ("has_tag", "wrong_value")),
    ({"has_tag": "x" * 201}, ("has_tag", "too_long")),
    ({**GOOD, "valeu": 1}, ("valeu", "unknown_key")),
    ({"field": "plan", "value": "pro"}, ("op", "missing_key")),
    ({"field": "plan", "op": "eq"}, ("value", "missing_key")),
    ({**GOOD, "value": None}, ("value", "wrong_value")),
    ({**GOOD, "op": "matches"}, ("op", "unknown_operator")),
    ({**GOOD, "op": ["eq"]}, ("op", "unknown_operator")),
    ({**GOOD, "op": None}, ("op", "unknown_operator")),
    ({**GOOD, "field": 5}, ("field", "unknown_field")),
    ({**GOOD, "field": ""}, ("field", "unknown_field")),
    ({**GOOD, "field": "a..b"}, ("field", "unknown_field")),
    ({**GOOD, "field": ".a"}, ("field", "unknown_field")),
    ({**GOOD, "field": "attributes."}, ("field", "unknown_field")),
    ({**GOOD, "field": "attributes"}, ("field", "unknown_field")),
    ({**GOOD, "field": "tags"}, ("field", "unknown_field")),
    ({**GOOD, "field": "id"}, ("field", "unknown_field")),
    ({**GOOD, "field": "contact.email"}, ("field", "unknown_field")),
    ({**GOOD, "field": "email.domain"}, ("field", "unknown_field")),
    ({**GOOD, "field": "event"}, ("field", "unknown_field")),
    ({**GOOD, "field": "a\x00b"}, ("field", "unknown_field")),
    ({**GOOD, "field": "a\ud800"}, ("field", "unknown_field")),
    ({**GOOD, "field": "x" * 201}, ("field", "unknown_field")),
    ({**GOOD, "field": ".".join("abcdefghi")}, ("field", "unknown_field")),
    ({**GOOD, "field": "event.plan"}, ("field", "out_of_scope")),
    ({**GOOD, "field": "trigger.plan"}, ("field", "out_of_scope")),
    ({**GOOD, "field": []}, ("field", "unknown_field")),
    ({**GOOD, "field": ["attributes"]}, ("field", "unknown_field")),
    ({**GOOD, "field": ["plan"]}, ("field", "unknown_field")),
    ({**GOOD, "field": ["email", "x"]}, ("field", "unknown_field")),
    ({**GOOD, "field": ["attributes", ""]}, ("field", "unknown_field")),
    ({**GOOD, "field": ["attributes", 5]}, ("field", "unknown_field")),
    ({**GOOD, "field": ["attributes", ["a"]]}, ("field", "unknown_field")),
    ({**GOOD, "field": ["attributes", "a\x00b"]}, ("field", "unknown_field")),
    ({**GOOD, "field": ["attributes", "x" * 200]}, ("field", "unknown_field")),
    ({**GOOD, "field": ["attributes", *"abcdefgh"]}, ("field", "unknown_field")),
    ({**GOOD, "field": ["event", "type"]}, ("field", "out_of_scope")),
    ({**GOOD, "value": {"ref": ["trigger", "type"]}}, ("value.ref", "out_of_scope")),
    ({**GOOD, "value": {"ref": ["event", "type"]}}, ("value", "wrong_value")),
    ({**GOOD, "value": {"ref": ["trigger"] * 100}}, ("value", "wrong_value")),
    ({**GOOD, "value": {"ref": "trigger.plan"}}, ("value.ref", "out_of_scope")),
    ({**GOOD, "value": {"ref": "event.plan"}}, ("value", "wrong_value")),
    ({**GOOD, "value": {"ref": "trigger.plan", "or": 1}}, ("value", "wrong_value")),
    ({**GOOD, "value": {"a": 1}}, ("value", "wrong_value")),
    ({**GOOD, "value": ["pro"]}, ("value", "wrong_value")),
    ({**GOOD, "value": float("nan")}, ("value", "wrong_value")),
    ({**GOOD, "value": float("inf")}, ("value", "wrong_value")),
    ({**GOOD, "value": 2**63}, ("value", "wrong_value")),
    ({**GOOD, "value": 10**5000}, ("value", "wrong_value")),
    ({**GOOD, "value": "a\x00b"}, ("value", "wrong_value")),
    ({**GOOD, "value": "\udfff"}, ("value", "wrong_value")),
    ({**GOOD, "value": "x" * (MAX_TEXT + 1)}, ("value", "too_long")),
    ({**GOOD, "op": "in"}, ("value", "wrong_value")),
    ({**GOOD, "op": "in", "value": []}, ("value", "wrong_value")),
    ({**GOOD, "op": "in", "value": ["a", None]}, ("value[1]", "wrong_value")),
    ({**GOOD, "op": "in", "value": ["a", ["b"]]}, ("value[1]", "wrong_value")),
    ({**GOOD, "op": "in", "value": {"ref": "trigger.x"}}, ("value", "wrong_value")),
    ({**GOOD, "op": "not_in", "value": list(range(MAX_LIST + 1))}, ("value", "too_long")),
    ({**GOOD, "op": "gt"}, ("value", "wrong_value")),
    ({**GOOD, "op": "gt", "value": True}, ("value", "wrong_value")),
    ({**GOOD, "op": "contains", "value": ""}, ("value", "wrong_value")),
    ({**GOOD, "op": "starts_with", "value": 5}, ("value", "wrong_value")),
    ({**GOOD, "op": "before", "value": "tomorrow"}, ("value", "wrong_value")),
    ({**GOOD, "op": "after", "value": 1700000000}, ("value", "wrong_value")),
    ({**GOOD, "op": "after", "value": "2026-02-30"}, ("value", "wrong_value")),
    ({**GOOD, "op": "within_last", "value": "30 days"}, ("value", "wrong_value")),
    ({**GOOD, "op": "within_last", "value": "P1M"}, ("value", "wrong_value")),
    ({**GOOD, "op": "within_last", "value": "P0D"}, ("value", "wrong_value")),
    ({**GOOD, "op": "within_last", "value": "P999999W"}, ("value", "wrong_value")),
    ({**GOOD, "op": "within_last", "value": 30}, ("value", "wrong_value")),
    ({**GOOD, "op": "exists"}, ("value", "wrong_value")),
    ({"field": "email", "op": "gt", "value": 5}, ("op", "wrong_operator")),
    ({"field": "email", "op": "before", "value": "2026-01-01"}, ("op", "wrong_operator")),
    ({"field": "email", "op": "eq", "value": 5}, ("value", "wrong_value")),
    ({"field": "email", "op": "eq", "value": ""}, ("value", "wrong_value")),
    ({"field": "email", "op": "in", "value": ["a", 5]}, ("value[1]", "wrong_value")),
    ({"field": "created_at", "op": "contains", "value": "2026"}, ("op", "wrong_operator")),
    ({"field": "created_at", "op": "gt", "value": 5}, ("value", "wrong_value")),
    ({"field": "created_at", "op": "eq", "value": "soon"}, ("value", "wrong_value")),
    ({"event": ""}, ("event", "wrong_value")),
    ({"event": 5}, ("event", "wrong_value")),
    ({"event": "x", "op": "contains"}, ("op", "unknown_operator")),
    ({"event": "x", "count": -1}, ("count", "wrong_value")),
    ({"event": "x", "count": 1.5}, ("count", "wrong_value")),
    ({"event": "x", "count": True}, ("count", "wrong_value")),
    ({"event": "x", "count": 10**7}, ("count", "wrong_value")),
    ({"event": "x", "within": "P1Y"}, ("within", "wrong_value")),
    ({"event": "x", "times": 2}, ("times", "unknown_key")),
    ({"event": "x", "where": []}, ("where", "not_an_object")),
    ({"event": "x", "where": {**GOOD, "field": "trigger.plan"}}, ("where.field", "out_of_scope")),
    ({"event": "x", "where": {"not": {"event": "y"}}}, ("where.not", "nested_event")),
    ({"event": "x", "message": {"workflow": "a"}}, ("message", "wrong_value")),
    ({"event": "email_opened", "message": "a"}, ("message", "not_an_object")),
    ({"event": "email_opened", "message": {"id": "a"}}, ("message.id", "unknown_key")),
    ({"event": "email_opened", "message": {"step": 5}}, ("message.step", "wrong_value")),
]


@pytest.mark.parametrize(("tree", "expected"), MISTAKES)
def test_a_mistake_is_named_with_its_path(tree, expected):
    assert problems(tree) == [expected]
    assert problems({"all": [GOOD, tree]}, path="entry.audience") == [
        (f"entry.audience.all[1].{expected[0]}".rstrip("."), expected[1])
    ]


def test_several_mistakes_are_found_at_once():
    tree = {
        "all": [
            {"field": "plan", "op": "like", "value": 1, "x": 1},
            {"any": [{"field": "email", "op": "gt", "value": 1}, {"not": 5}]},
            {"event": "x", "count": -1, "within": "soon", "where": {"field": "event.a", "op": "eq"}},
        ]
    }
    assert problems(tree) == [
        ("all[0].x", "unknown_key"),
        ("all[0].op", "unknown_operator"),
        ("all[1].any[0].op", "wrong_operator"),
        ("all[1].any[1].not", "not_an_object"),
        ("all[2].count", "wrong_value"),
        ("all[2].within", "wrong_value"),
        ("all[2].where.value", "missing_key"),
    ]


def test_the_error_reads_as_a_sentence():
    with pytest.raises(BadCondition, match=r"^all\[1\]\.value: expected text, got a number; all\[2\]: "):
        parse({"all": [GOOD, {"field": "email", "op": "eq", "value": 5}, 7]})


def test_optional_keys_of_an_event_may_be_null():
    nothing = dict.fromkeys(("op", "count", "within", "where", "message"))
    assert parse({"event": "x", **nothing}) == parse({"event": "x"})


def test_the_largest_allowed_condition_is_read():
    tree: dict = GOOD
    for _ in range(MAX_DEPTH - 1):
        tree = {"not": tree}
    assert parse(tree)
    assert parse({"all": [GOOD] * (MAX_NODES - 1)})
    assert parse({**GOOD, "op": "in", "value": ["x"] * MAX_LIST})
    assert parse({**GOOD, "value": "x" * MAX_TEXT})


def test_a_condition_that_is_too_deep_is_refused_where_it_becomes_so():
    tree: dict = GOOD
    for _ in range(MAX_DEPTH):
        tree = {"not": tree}
    assert problems(tree) == [(".".join(["not"] * MAX_DEPTH), "too_deep")]


def test_a_condition_that_is_too_wide_is_refused_once():
    assert problems({"all": [GOOD] * MAX_NODES}) == [(f"all[{MAX_NODES - 1}]", "too_wide")]
    wide = {"any": [{"event": "x", "where": {"all": [GOOD] * 50}} for _ in range(5)]}
    assert [code for _, code in problems(wide)] == ["too_wide"]


class LongList(list):
    """A list that does not let itself be walked to the end."""

    def __iter__(self):
        for position, item in enumerate(super().__iter__()):
            assert position <= MAX_LIST, "the whole list was walked"
            yield item


@pytest.mark.parametrize(
    "wrap", [lambda part: {"not": part}, lambda part: {"all": [part]}, lambda part: {"any": [part]}]
)
def test_a_bomb_of_depth_is_refused_before_it_is_walked(wrap):
    deep = GOOD
    for _ in range(100_000):
        deep = wrap(deep)
    assert [code for _, code in problems(deep)] == ["too_deep"]


def test_a_bomb_of_width_is_refused_before_it_is_walked():
    wide = LongList([5] * 100_000)
    for bomb in ({"all": wide}, {"any": [{"all": wide}] * 1000}):
        assert len(problems(bomb)) <= MAX_NODES + 1
    values = LongList([["x"]] * 100_000)
    assert problems({**GOOD, "op": "in", "value": values}) == [("value", "too_long")]
    assert len(problems({**GOOD, **{f"key {number}": 1 for number in range(100_000)}})) == 1


def test_an_unknown_scope_is_a_mistake_of_the_programmer():
    with pytest.raises(ValueError, match="unknown scope: order"):
        parse(GOOD, scope=frozenset({"contact", "order"}))


def test_reading_a_condition_needs_no_django():
    modules = ["tree", "values", "instants", "operators", "fields", "fragment", "builtin", "grammar", "explain"]
    imports = "; ".join(f"import contacts.conditions.{name}" for name in modules)
    # the package's own __init__ names the compiler's doors too: an empty package of the same path stands in for it
    script = (
        "import sys, types, contacts; package = types.ModuleType('contacts.conditions'); "
        "package.__path__ = [contacts.__path__[0] + '/conditions']; sys.modules[package.__name__] = package; "
        f"{imports}; sys.exit(any(name.split('.')[0] == 'django' for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


ATTACKS = [
    "'", '"', "\\", "'; DROP TABLE contacts; --", "x') OR TRUE --", '"} || pg_sleep(10) || {"', "%", "%s", "%%s",
    "%(a)s", "{x}", "{v}", "{}", "$1", "\\'; --", "a'::text) IS NOT NULL OR ('", "../../etc", "🔥", "a\u2028b",
]  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize("attack", ATTACKS)
def test_a_name_or_a_value_stays_a_name_or_a_value(attack):
    innocent = make_contact(attributes={"plan": "pro"})
    target = make_contact(attributes={attack.replace(".", "_"): attack, "list": [attack]}, email=attack)
    name = attack.replace(".", "_")
    trees = [{"field": "email", "op": "eq", "value": attack}, {"field": "list", "op": "contains", "value": attack}]
    trees += [{"field": "email", "op": op, "value": attack} for op in ("contains", "starts_with", "ends_with", "in")]
    trees[-1]["value"] = [attack, "other"]
    if name.isprintable():
        trees += [{"field": f"attributes.{name}", "op": "eq", "value": attack}]
    for tree in trees:
        assert holds(tree, target, NOW) is True, tree
        assert holds(tree, innocent, NOW) is False, tree
    for tree in ({"has_tag": attack}, {"event": attack}, {"event": "email_opened", "message": {"step": attack}}):
        assert holds(tree, target, NOW) is False, tree


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(
    name=st.text(min_size=1, max_size=30),
    value=st.one_of(st.text(max_size=30), st.floats(), st.integers(), st.booleans(), st.lists(st.text(), max_size=3)),
    op=st.sampled_from(["eq", "ne", "in", "contains", "starts_with", "gt", "before", "within_last", "exists"]),
)
@pytest.mark.django_db
def test_any_name_and_value_is_refused_by_the_grammar_or_answered_by_postgresql(name, value, op):
    tree = {"any": [{"field": name, "op": op, "value": value}, {"event": name, "where": {"not": {"has_tag": name}}}]}
    try:
        condition = parse(tree, scope=EVERYWHERE)
    except BadCondition:
        return
    text, params = compile_condition(condition, now=NOW)
    assert text.isascii()
    assert text.count("%") == text.count("%s") == len(params)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {text} FROM (SELECT 1::bigint AS id, ''::text AS email, %s::jsonb AS attributes) AS c",
            [*params, json.dumps({"x": 1})],
        )
        assert cursor.fetchone()[0] in (True, False)
