"""What a scoring rule in force names is not taken away."""

from __future__ import annotations

import pytest

from contacts import transactions
from contacts.audiences import lists, segments, tags
from contacts.audiences.naming import Refused
from contacts.models import Tag
from tests.contacts.audiences.keeping import make
from tests.scoring.conftest import rule

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("signal", "work"),
    [
        ({"in_list": "only"}, lambda now: lists.delete("only", source="api", now=now)),
        ({"not": {"in_segment": "only"}}, lambda now: segments.delete("only")),
        ({"has_tag": "only"}, lambda now: tags.rename("only", "other", source="api", now=now)),
    ],
)
def test_what_a_rule_names_stays_until_the_rules_are_others(activated, signal, work):
    transactions.run(lambda now: lists.create(slug="only", name="Only", now=now))
    make("only")
    Tag.objects.create(name="only")
    activated({"name": "Loyal", "signal": signal, "points": 5})
    with pytest.raises(Refused, match="the scoring rule “Loyal”"):
        transactions.run(work)
    activated(rule("asked", 1))
    transactions.run(work)
