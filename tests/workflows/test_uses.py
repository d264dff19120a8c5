"""What a journey in force names is not taken away."""

from __future__ import annotations

import pytest

from contacts import transactions
from contacts.audiences import lists, segments, tags
from contacts.audiences.naming import Refused
from contacts.models import Tag
from tests.contacts.audiences.keeping import make
from tests.journeys import definition, publish, step
from workflows import publishing

pytestmark = pytest.mark.django_db

ASKING = {"if": {"any": [{"in_segment": "pro"}, {"not": {"has_tag": "vip"}}]}, "key": "yes"}


def begin(**changes):
    transactions.run(lambda now: lists.create(slug="news", name="News", now=now))
    make("pro")
    Tag.objects.create(name="vip")
    steps = {
        "ask": step("branch", {"yes": "put", "else": None}, arms=[ASKING]),
        "put": step("add_to_list", {"next": None}, list="news"),
    }
    publish(definition(steps, **changes))


def taking_away():
    return (
        lambda now: lists.delete("news", source="api", now=now),
        lambda now: segments.delete("pro"),
        lambda now: tags.rename("vip", "VIP", source="api", now=now),
    )


def test_what_a_live_journey_names_stays_until_it_is_archived():
    begin(name="Welcome")
    for work in taking_away():
        with pytest.raises(Refused, match="the journey “Welcome”"):
            transactions.run(work)
    transactions.run(lambda now: publishing.archive(slug="journey", now=now))
    for work in taking_away():
        transactions.run(work)


@pytest.mark.parametrize(
    ("trigger", "work"),
    [
        ({"type": "list_joined", "list": "only"}, lambda now: lists.delete("only", source="api", now=now)),
        ({"type": "segment_left", "segment": "only"}, lambda now: segments.delete("only")),
        ({"type": "tag_added", "tag": "only"}, lambda now: tags.rename("only", "ONLY", source="api", now=now)),
    ],
)
def test_what_starts_a_journey_stays(trigger, work):
    transactions.run(lambda now: lists.create(slug="only", name="Only", now=now))
    make("only")
    Tag.objects.create(name="only")
    publish(definition({"end": step("exit", {})}, entry={"trigger": trigger}))
    with pytest.raises(Refused, match="the journey"):
        transactions.run(work)


def test_a_draft_holds_nothing():
    transactions.run(lambda now: lists.create(slug="news", name="News", now=now))
    document = definition({"put": step("add_to_list", {"next": None}, list="news")})
    transactions.run(lambda now: publishing.save_draft(definition=document, now=now))
    assert transactions.run(lambda now: lists.delete("news", source="api", now=now)) == 0
