"""What a rule in force names, of scores or of the lifecycle, is not taken away."""

from __future__ import annotations

import pytest

from contacts import transactions
from contacts.audiences import lists, segments, tags
from contacts.audiences.naming import Refused
from contacts.models import Tag
from scoring.lifecycle import progression_rules
from tests.contacts.audiences.keeping import make
from tests.scoring.conftest import rule

pytestmark = pytest.mark.django_db

each_kind = pytest.mark.parametrize(
    ("condition", "work"),
    [
        ({"in_list": "only"}, lambda now: lists.delete("only", source="api", now=now)),
        ({"not": {"in_segment": "only"}}, lambda now: segments.delete("only")),
        ({"has_tag": "only"}, lambda now: tags.rename("only", "other", source="api", now=now)),
    ],
)


@pytest.fixture(autouse=True)
def named():
    transactions.run(lambda now: lists.create(slug="only", name="Only", now=now))
    make("only")
    Tag.objects.create(name="only")


@each_kind
def test_what_a_rule_names_stays_until_the_rules_are_others(activated, condition, work):
    activated({"name": "Loyal", "signal": condition, "points": 5})
    with pytest.raises(Refused, match="the scoring rule “Loyal”"):
        transactions.run(work)
    activated(rule("asked", 1))
    transactions.run(work)


@each_kind
def test_what_moves_people_along_names_stays_until_it_is_switched_off(condition, work):
    raw = {
        "name": "Asked us",
        "cause": {"event": "asked", "where": condition},
        "from_stages": [""],
        "to_stage": "lead",
    }
    key = transactions.run(lambda now: progression_rules.save(raw, by="staff:maya", now=now)).key
    with pytest.raises(Refused, match="the progression rule “Asked us”"):
        transactions.run(work)
    transactions.run(lambda now: progression_rules.switch(key, on=False, by="staff:maya", now=now))
    transactions.run(work)
