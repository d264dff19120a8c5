"""Segments as they are written: what is refused, levels, circles."""

from __future__ import annotations

import pytest

from contacts import transactions
from contacts.audiences import lists, segments
from contacts.audiences.naming import Refused
from contacts.models import Segment
from tests.contacts.audiences.keeping import PRO, fill, make, make_live, members, people

pytestmark = pytest.mark.django_db


def refused(work) -> list[tuple[str, tuple]]:
    with pytest.raises(Refused) as caught:
        transactions.run(work)
    return [(fault.code, fault.loc) for fault in caught.value.faults]


def rewrite(slug: str, condition: object) -> None:
    transactions.run(lambda now: segments.change(slug, condition=condition, now=now))


def test_everything_that_is_wrong_is_told_with_its_place():
    found = refused(
        lambda now: segments.create(
            slug="Not So", name=" ", condition={"all": [PRO, {"field": "plan", "op": "like"}]}, now=now
        )
    )
    assert found == [
        ("slug", ("slug",)),
        ("name", ("name",)),
        ("unknown_operator", ("condition", "all", 1, "op")),
    ]


def test_names_that_do_not_exist_are_refused():
    condition = {"any": [{"in_segment": "nowhere"}, {"not": {"in_list": "nothing"}}]}
    assert refused(lambda now: segments.create(slug="all", name="All", condition=condition, now=now)) == [
        ("unknown_segment", ("condition", "any", 0, "in_segment")),
        ("unknown_list", ("condition", "any", 1, "not", "in_list")),
    ]


def test_a_slug_is_taken_once():
    make("pro")
    assert refused(lambda now: segments.create(slug="pro", name="Again", condition=PRO, now=now)) == [
        ("taken", ("slug",))
    ]


def test_no_circle_can_be_made():
    make("a")
    make("b", {"in_segment": "a"})
    make("c", {"all": [PRO, {"in_segment": "b"}]})
    assert refused(lambda now: segments.change("a", condition={"not": {"in_segment": "c"}}, now=now)) == [
        ("cycle", ("condition", "not", "in_segment"))
    ]
    assert refused(lambda now: segments.change("a", condition={"in_segment": "a"}, now=now)) == [
        ("cycle", ("condition", "in_segment"))
    ]
    assert refused(lambda now: segments.create(slug="d", name="D", condition={"in_segment": "d"}, now=now)) == [
        ("cycle", ("condition", "in_segment"))
    ]


def test_levels_follow_when_a_lower_segment_begins_to_ask():
    make("a")
    make("b", {"in_segment": "a"})
    make("base")
    rewrite("a", {"in_segment": "base"})
    assert dict(Segment.objects.values_list("slug", "level")) == {"base": 0, "a": 1, "b": 2}
    rewrite("a", PRO)
    assert dict(Segment.objects.values_list("slug", "level")) == {"base": 0, "a": 0, "b": 1}


def test_a_segment_that_others_ask_about_stays():
    people({"plan": "pro"})
    make_live("pro")
    make_live("good", {"in_segment": "pro"})
    assert refused(lambda now: segments.delete("pro")) == [("in_use", ("slug",))]
    transactions.run(lambda now: segments.delete("good"))
    transactions.run(lambda now: segments.delete("pro"))
    assert members("pro") == []
    with pytest.raises(LookupError):
        transactions.run(lambda now: segments.delete("pro"))


def test_a_list_that_segments_ask_about_stays():
    transactions.run(lambda now: lists.create(slug="news", name="News", now=now))
    make("readers", {"any": [PRO, {"not": {"in_list": "news"}}]})
    assert refused(lambda now: lists.delete("news", source="api", now=now)) == [("in_use", ("slug",))]


def test_another_name_or_the_same_condition_again_fills_nothing():
    make_live("pro")
    transactions.run(lambda now: segments.change("pro", name="Paying", condition=dict(reversed(PRO.items())), now=now))
    segment = Segment.objects.get()
    assert (segment.name, segment.state) == ("Paying", "live")
    rewrite("pro", {"field": "plan", "op": "exists"})
    assert segments.standings(["pro"])["pro"].state == "building"


def test_what_a_segment_reads_is_stored_with_it():
    make("base")
    make(
        "all",
        {
            "all": [
                {"field": "plan", "op": "eq", "value": "pro"},
                {"field": "region", "op": "eq", "value": "eu"},
                {"event": "bought", "within": "P30D", "where": {"field": "event.total", "op": "gt", "value": 1}},
                {"in_segment": "base"},
                {"in_workflow": "welcome"},
                {"has_tag": "vip"},
            ]
        },
    )
    segment = Segment.objects.get(slug="all")
    assert segment.reads == ["attribute", "event:bought", "field", "segment:base", "tag", "workflow"]
    assert segment.moves_with_time
    assert not Segment.objects.get(slug="base").moves_with_time


def test_filling_says_how_far_it_is():
    people(*[{"plan": "pro"}] * 5)
    make("pro")
    assert segments.standings()["pro"].progress < 1
    from contacts.audiences import filling

    transactions.run(lambda now: filling.fill_batch(now, chunk=2))
    halfway = segments.standings()["pro"]
    assert halfway.members == 2 and 0 < halfway.progress < 1
    fill()
    assert segments.standings()["pro"].progress == 1.0
