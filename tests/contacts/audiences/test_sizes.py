"""How many are in lists and segments and have tags: exactly where they are few, and at a small price where they are
many."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from contacts import transactions
from contacts.audiences import lists, sizes, tags
from contacts.audiences.lists import Place
from contacts.models import Contact, List, Segment, Tag
from tests.contacts.audiences.keeping import make_live, people
from tests.contacts.conftest import Api, make_key

pytestmark = pytest.mark.django_db
PATHS = {"segments": "members", "lists": "members", "tags": "contacts"}


@pytest.fixture
def api() -> Api:
    """Of 12 people everybody is in a segment and in a list, and has a tag; nobody is in the others."""
    who = people(*({"plan": "pro"} for _ in range(12)))
    make_live("pro")
    make_live("trial", {"field": "plan", "op": "eq", "value": "trial"})

    def fill(now):
        lists.create(slug="news", name="News", now=now)
        lists.create(slug="tips", name="Tips", now=now)
        lists.join([Place(each, "news", "api") for each in who], now=now)
        tags.add_tag(contact_ids=who, tag="vip", source="api", now=now)
        Tag.objects.create(name="old")

    transactions.run(fill)
    return Api(make_key("contacts:read"))


def shown(api: Api, path: str) -> list[tuple[int, bool]]:
    """The larger one first."""
    rows = api.get(f"/api/v1/{path}").json()["results"]
    return sorted(((row[PATHS[path]], row["estimated"]) for row in rows), reverse=True)


@pytest.mark.parametrize("path", PATHS)
def test_the_few_are_counted(api, path):
    assert shown(api, path) == [(12, False), (0, False)]


@pytest.mark.parametrize("path", PATHS)
def test_of_many_the_list_says_about_how_many_and_each_by_itself_says_exactly(api, path, monkeypatch):
    monkeypatch.setattr(sizes, "COUNTED", 5)
    monkeypatch.setattr("contacts.api.segments.COUNTED", 5)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE segment_members, list_members, contact_tags")
    assert shown(api, path) == [(12, True), (0, False)]
    one = api.get(f"/api/v1/{path}/{({'segments': 'pro', 'lists': 'news', 'tags': 'vip'})[path]}").json()
    assert (one[PATHS[path]], one["estimated"]) == (12, False)


def test_statistics_that_know_nobody_do_not_make_them_fewer_than_were_seen(api, monkeypatch):
    monkeypatch.setattr(sizes, "COUNTED", 5)
    monkeypatch.setattr(sizes, "_expected", lambda of, id: 1)
    assert sizes.sizes("list", [List.objects.get(slug="news").pk]) == {
        List.objects.get(slug="news").pk: sizes.Size(6, True)
    }


def test_who_was_merged_or_erased_is_not_counted(api):
    Contact.objects.filter(pk=Contact.objects.earliest("pk").pk).update(merged_into=Contact.objects.latest("pk"))
    for of, row in (("list", List.objects.get(slug="news")), ("tag", Tag.objects.get(name="vip"))):
        assert sizes.exact_size(of, row.pk) == sizes.sizes(of, [row.pk])[row.pk] == sizes.Size(11, False)


@pytest.mark.parametrize("path", PATHS)
def test_a_page_of_many_costs_as_many_statements_as_one_of_few(api, path):
    def statements() -> int:
        with CaptureQueriesContext(connection) as said:
            assert api.get(f"/api/v1/{path}").status_code == 200
        return len(said)

    statements()
    few = statements()
    for number in range(6):
        List.objects.create(slug=f"l{number}", name="L")
        Tag.objects.create(name=f"t{number}")
        Segment.objects.create(slug=f"s{number}", name="S", condition={"has_tag": "vip"}, reads=["tag"])
    assert statements() == few
