"""Conditions about scores: the lead score by its own name, every other as `score.NAME`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from contacts import conditions
from contacts.conditions import catalogue
from contacts.conditions.reading import reads
from scoring.rulesets import versions
from scoring.rulesets.parsing import parse_rules
from scoring.rulesets.rules import BadRules
from tests.scoring.conftest import rule, write_history
from tests.scoring.oracle import Happened

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
FIT = {"field": "score.fit", "op": "gte", "value": 40}


def matching(condition, *contact_ids) -> set[int]:
    return conditions.matching_contacts(conditions.parse(condition), contact_ids=contact_ids, now=NOW)


@pytest.fixture
def fit(activated) -> int:
    pro = {"name": "pro", "signal": {"field": "plan", "op": "eq", "value": "pro"}, "points": 40}
    return activated(pro, name="fit")


def test_any_named_score_may_be_asked_for(person, activated, fit):
    activated(rule("visited", 10))
    pro, visitor = person(attributes={"plan": "pro"}), person()
    write_history(visitor, [Happened("visited", NOW - timedelta(days=day)) for day in range(5)])
    assert matching(FIT, pro, visitor) == {pro}
    assert matching({"not": FIT}, pro, visitor) == {visitor}
    assert matching({"field": "score", "op": "gte", "value": 40}, pro, visitor) == {visitor}
    assert matching({"field": "score.lead", "op": "eq", "value": 50}, pro, visitor) == {visitor}


def test_it_is_explained_in_english_and_looked_at_again_like_the_lead_score(activated, fit):
    assert conditions.explain(conditions.parse(FIT)) == "the fit score is at least 40"
    lead = {"field": "score", "op": "gte", "value": 40}
    assert reads(conditions.parse(FIT)) == reads(conditions.parse(lead))


def test_a_score_without_rules_is_an_unknown_field(fit):
    versions.write_draft({"name": "draft", "rules": []}, now=NOW)
    for name in ("score.nothing", "score.draft", "score.fit.more", "score."):
        with pytest.raises(conditions.BadCondition) as refused:
            conditions.parse({"all": [{**FIT, "field": name}]})
        assert [(each.path, each.code) for each in refused.value.problems] == [("all[0].field", "unknown_field")]


def test_a_condition_that_asks_for_no_score_looks_for_none(fit):
    with CaptureQueriesContext(connection) as queries:
        conditions.parse({"field": "plan", "op": "eq", "value": "pro"})
        conditions.parse({"field": "score", "op": "gte", "value": 60})
    assert len(queries) == 0


def test_the_pickers_offer_the_scores_that_there_are(fit):
    offered = {each["field"]: each for each in catalogue.describe()["fields"]}
    assert (offered["score.fit"]["label"], offered["score.fit"]["type"]) == ("the fit score", "number")
    assert offered["score.fit"]["operators"] == offered["score"]["operators"]
    assert "score.nothing" not in offered


@pytest.mark.parametrize(
    ("field", "code"), [("score", "circular"), ("score.fit", "circular"), ("score.nothing", "unknown_field")]
)
def test_no_rule_may_depend_on_a_score(fit, field, code):
    signal = {"any": [{"event": "visited", "where": {"not": {"field": field, "op": "gte", "value": 1}}}]}
    with pytest.raises(BadRules) as refused:
        parse_rules([{"name": "circle", "signal": signal, "points": 1}])
    assert [problem.code for problem in refused.value.problems] == [code]
