"""Rules as people write them, and every mistake named."""

import pytest

from scoring.rulesets.parsing import check_threshold, parse_rules
from scoring.rulesets.reading import active_ruleset, active_rulesets
from scoring.rulesets.rules import BadRules
from tests.scoring.conftest import rule


def problems(*rules):
    with pytest.raises(BadRules) as error:
        parse_rules(list(rules))
    return {problem.path: problem.code for problem in error.value.problems}


def test_a_bare_event_counts_each_and_anything_more_is_a_condition():
    each, filtered, counted, compared = parse_rules(
        [
            rule("visited", 1),
            {
                "name": "b",
                "signal": {"event": "visited", "where": {"field": "event.page", "op": "eq", "value": "pricing"}},
                "points": 1,
            },
            {"name": "c", "signal": {"event": "visited", "op": "gte", "count": 3}, "points": 1},
            {"name": "d", "signal": {"field": "plan", "op": "eq", "value": "pro"}, "points": 1},
        ]
    )
    assert (each.event, each.where, each.condition) == ("visited", None, None)
    assert filtered.event == "visited" and filtered.where is not None and filtered.condition is None
    assert counted.event == "" and counted.condition is not None
    assert compared.event == "" and compared.condition is not None


def test_every_mistake_is_named_by_its_path():
    found = problems(
        "not a rule",
        {"signal": {"event": "visited"}, "points": 5},
        rule("visited", float("nan")),
        rule("visited", True),
        rule("visited", 5) | {"points": 10**400},
        rule("visited", 5, cap=-1),
        rule("visited", 1e-7),
        rule("visited", 5, decay={"type": "half_life", "period": "P1Y"}),
        rule("visited", 5, colour="red"),
        {"name": "x", "signal": {"field": "plan", "op": "is", "value": "pro"}, "points": 5},
        {"name": "x", "signal": None, "points": 5},
    )
    assert set(found) == {
        "rules[0]",
        "rules[1].name",
        "rules[2].points",
        "rules[3].points",
        "rules[4].points",
        "rules[5].cap",
        "rules[6].points",
        "rules[7].decay.period",
        "rules[8].colour",
        "rules[9].signal.op",
        "rules[10].signal",
    }


def test_a_score_cannot_depend_on_a_score():
    deep = {"any": [{"has_tag": "vip"}, {"not": {"field": "score", "op": "gte", "value": 10}}]}
    assert problems({"name": "x", "signal": deep, "points": 5}) == {"rules[0].signal": "circular"}


def test_a_condition_has_no_age_and_so_no_decay():
    fading = {"type": "half_life", "period": "P1D"}
    assert problems({"name": "x", "signal": {"has_tag": "vip"}, "points": 5, "decay": fading}) == {
        "rules[0].decay": "wrong_value"
    }


def test_rules_nested_too_deep_are_a_mistake_and_no_crash():
    tree: object = {"has_tag": "vip"}
    for _ in range(5000):
        tree = {"not": tree}
    assert "rules[0].signal" in next(iter(problems({"name": "x", "signal": tree, "points": 5})))


@pytest.mark.parametrize("raw", [0, -1, "60", None, float("inf"), True])
def test_a_threshold_is_a_number_above_nothing(raw):
    with pytest.raises(BadRules, match="mql_threshold"):
        check_threshold(raw)


@pytest.mark.django_db
def test_active_rules_are_read_back_as_they_were_written(activated, django_assert_num_queries):
    written = [
        rule("visited", 5.5, decay={"type": "linear", "period": "P30D"}, cap=40),
        {"name": "director", "signal": {"field": "title", "op": "contains", "value": "director"}, "points": -2},
    ]
    activated(*written, mql_threshold=75)
    activated(rule("asked", 1), name="fit")
    with django_assert_num_queries(1):
        fit, lead = active_rulesets()
    assert (fit.name, fit.label, lead.label, lead.mql_threshold) == ("fit", "fit v1", "lead v1", 75)
    assert lead.rules == parse_rules(written)
    assert active_ruleset("unknown") is None


@pytest.mark.django_db
def test_a_ruleset_without_rules_is_one(activated):
    activated()
    assert active_ruleset("lead").rules == ()
