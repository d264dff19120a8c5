"""Who is asked for a check when a contact changes."""

import pytest

from contacts.signals import contacts_changed
from scoring.models import ScoreCheck
from tests.scoring.conftest import rule

pytestmark = pytest.mark.django_db

BY_FIELD = {"name": "field", "signal": {"field": "title", "op": "eq", "value": "Director"}, "points": 5}
BY_TAG = {"name": "tag", "signal": {"not": {"has_tag": "student"}}, "points": 5}
BY_EVENT = {
    "name": "event",
    "signal": {"event": "visited", "where": {"field": "event.page", "op": "eq", "value": "pricing"}},
    "points": 5,
}
BY_BOTH = {
    "name": "both",
    "signal": {"event": "visited", "where": {"field": "country", "op": "eq", "value": "DE"}},
    "points": 5,
}


@pytest.mark.parametrize(
    ("written", "kind", "asked"),
    [
        (BY_FIELD, "attribute", True),
        (BY_FIELD, "field", True),
        (BY_FIELD, "tag", False),
        (BY_TAG, "tag", True),
        (BY_TAG, "attribute", False),
        (BY_EVENT, "attribute", False),
        (BY_BOTH, "attribute", True),
        (rule("visited", 5), "tag", False),
    ],
)
def test_a_change_asks_for_a_check_where_a_rule_looks_at_such(person, activated, now, written, kind, asked):
    activated(written)
    contact_id = person()
    contacts_changed.send(sender=None, contact_ids=(contact_id,), kinds=frozenset({kind}), lane="bulk", now=now)
    assert list(ScoreCheck.objects.values_list("contact_id", flat=True)) == ([contact_id] if asked else [])


def test_retired_rules_ask_for_nothing(person, activated, now):
    activated(BY_FIELD)
    activated(rule("visited", 5))
    contacts_changed.send(sender=None, contact_ids=(person(),), kinds=frozenset({"attribute"}), lane="bulk", now=now)
    assert not ScoreCheck.objects.exists()
