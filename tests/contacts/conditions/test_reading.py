"""What conditions read, and whether time alone moves them."""

from __future__ import annotations

import pytest

from contacts.conditions import parse
from contacts.conditions.reading import reads

TABLE = [
    ({"field": "plan", "op": "eq", "value": "pro"}, {"attribute"}, False),
    ({"field": "attributes.email", "op": "exists"}, {"attribute"}, False),
    ({"field": "email", "op": "exists"}, {"field"}, False),
    ({"field": "created_at", "op": "within_last", "value": "P7D"}, {"field"}, True),
    ({"field": "seen", "op": "not_within_last", "value": "P7D"}, {"attribute"}, True),
    ({"field": "seen", "op": "before", "value": "2026-01-01"}, {"attribute"}, False),
    ({"event": "bought"}, {"event:bought"}, False),
    ({"event": "bought", "within": "P1D"}, {"event:bought"}, True),
    (
        {"event": "bought", "where": {"field": "event.until", "op": "within_last", "value": "P1D"}},
        {"event:bought"},
        True,
    ),
    ({"event": "bought", "where": {"field": "plan", "op": "eq", "value": 1}}, {"event:bought", "attribute"}, False),
    ({"has_tag": "vip"}, {"tag"}, False),
    ({"in_list": "news"}, {"list"}, False),
    ({"in_segment": "pro"}, {"segment:pro"}, False),
    ({"in_workflow": "welcome"}, {"workflow"}, False),
    (
        {"field": "score", "op": "gte", "value": 60},
        {"event:*", "attribute", "field", "tag", "list", "consent", "workflow"},
        True,
    ),
    ({"field": "lifecycle_stage", "op": "eq", "value": "mql"}, {"event:lifecycle_changed"}, False),
    (
        {"all": [{"not": {"any": [{"event": "a"}, {"event": "b"}]}}, {"has_tag": "x"}]},
        {"event:a", "event:b", "tag"},
        False,
    ),
    ({"all": []}, set(), False),
]


@pytest.mark.parametrize(("condition", "abouts", "moves"), TABLE)
def test_every_node_says_what_it_reads(condition, abouts, moves):
    found = reads(parse(condition))
    assert (found.abouts, found.moves_with_time) == (abouts, moves)


def test_the_segments_that_are_asked_about_are_told_apart():
    found = reads(parse({"any": [{"in_segment": "a"}, {"not": {"in_segment": "b"}}, {"in_list": "c"}]}))
    assert found.segments == {"a", "b"}
