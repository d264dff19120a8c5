"""Tags, lists and segments over HTTP."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db.models import TextField, Value
from django.db.models.functions import Cast, Concat

from contacts.models import (
    Contact,
    ContactChange,
    ContactEvent,
    ContactTag,
    List,
    ListMember,
    Segment,
    SegmentMember,
    Tag,
)
from tests.contacts.audiences.keeping import PRO, fill, make_live, people
from tests.contacts.conftest import Api, make_key

pytestmark = pytest.mark.django_db


@pytest.fixture
def api() -> Api:
    return Api(make_key("contacts:read", "contacts:write"))


def send(api: Api, method: str, path: str, body: Any = None) -> Any:
    return api.call(method, f"/api/v1{path}", json.dumps({} if body is None else body).encode())


def faults(response: Any) -> list[tuple[str, list[Any]]]:
    assert response.status_code == 400, response.content
    assert response.headers["Content-Type"] == "application/problem+json"
    return [(fault["code"], fault["loc"]) for fault in response.json()["errors"]]


def make_list(api: Api, slug: str = "news") -> None:
    assert send(api, "POST", "/lists/", {"slug": slug, "name": "The news"}).status_code == 201


def upsert(api: Api, **person: Any) -> Any:
    return send(api, "POST", "/contacts/", person)


# -- tags --------------------------------------------------------------------------------------------------------------


def test_tags_are_made_found_listed_and_forgotten(api):
    assert send(api, "POST", "/tags", {"name": " vip "}).status_code == 201
    assert send(api, "POST", "/tags", {"name": "vip"}).status_code == 200
    upsert(api, email="ada@example.com", tags=["vip", "a/b"])
    assert send(api, "GET", "/tags/").json()["results"] == [
        {"name": "a/b", "contacts": 1, "estimated": False},
        {"name": "vip", "contacts": 1, "estimated": False},
    ]
    assert send(api, "GET", "/tags/a/b/").json() == {"name": "a/b", "contacts": 1, "estimated": False}
    assert send(api, "DELETE", "/tags/a/b").status_code == 204
    assert send(api, "DELETE", "/tags/a/b").status_code == 404
    assert list(ContactTag.objects.values_list("tag__name", flat=True)) == ["vip"]
    removed = ContactChange.objects.filter(kind="tag", name="a/b").order_by("id").last()
    assert (removed.old, removed.new, removed.source) == (True, False, "api")


def test_a_tag_is_renamed_unless_a_segment_names_it(api):
    upsert(api, email="ada@example.com", tags=["vpi"])
    renamed = send(api, "PATCH", "/tags/vpi", {"name": " vip "}).json()
    assert renamed == {"name": "vip", "contacts": 1, "estimated": False}
    assert send(api, "PATCH", "/tags/vpi", {"name": "vip"}).status_code == 404
    assert faults(send(api, "PATCH", "/tags/vip", {"name": ""})) == [("name", ["name"])]
    make_live("vips", {"has_tag": "vip"})
    refused = send(api, "PATCH", "/tags/vip", {"name": "VIP"})
    assert (refused.status_code, refused.json()["detail"]) == (409, "It is named by the segment “vips”.")


def test_a_tag_is_given_and_taken_by_any_name_of_a_contact(api):
    ada = upsert(api, email="ada@example.com", phone="+491701234567").json()
    send(api, "POST", "/tags", {"name": "a/b"})
    given = {"add": [{"email": "ADA@example.com"}, {"email": "nobody@example.com"}]}
    answer = send(api, "POST", "/tags/a/b/contacts", given).json()
    assert (answer["added"], answer["removed"], answer["unchanged"]) == (1, 0, 0)
    assert [(each["index"], each["errors"][0]["loc"]) for each in answer["rejected"]] == [(1, ["add", 1])]
    assert [each["id"] for each in send(api, "GET", "/tags/a/b/contacts/").json()["results"]] == [ada["id"]]
    taken = {"remove": [{"phone": "+49 170 1234567"}, {"id": ada["id"]}]}
    answer = send(api, "POST", "/tags/a/b/contacts", taken).json()
    assert (answer["added"], answer["removed"], answer["unchanged"]) == (0, 1, 1)
    assert upsert(api, email="ada@example.com").json()["tags"] == []
    assert send(api, "POST", "/tags/c/contacts", taken).status_code == 404


def test_who_was_absorbed_is_counted_and_shown_no_more(api):
    make_list(api)
    ids = [upsert(api, email=f"{name}@x.io", tags=["vip"], lists=["news"]).json()["id"] for name in ("ada", "bob")]
    survivor = send(api, "POST", "/contacts/merge", {"contacts": ids}).json()["id"]
    assert send(api, "GET", "/tags/vip").json()["contacts"] == 1
    assert send(api, "GET", "/lists/news").json()["members"] == 1
    for path in ("/tags/vip/contacts", "/lists/news/contacts"):
        assert [each["id"] for each in send(api, "GET", path).json()["results"]] == [survivor]


def test_a_tag_needs_a_name(api):
    assert faults(send(api, "POST", "/tags/", {"name": "  "})) == [("name", ["name"])]
    assert faults(send(api, "POST", "/tags/", {})) == [("type", ["name"])]
    assert faults(send(api, "POST", "/tags/", {"name": "a", "colour": "red"})) == [("unknown", ["colour"])]


# -- lists -------------------------------------------------------------------------------------------------------------


def test_lists_are_made_shown_renamed_and_deleted(api):
    make_list(api)
    shown = send(api, "PATCH", "/lists/news", {"description": "Weekly"}).json()
    assert {name: shown[name] for name in ("slug", "name", "description", "members")} == {
        "slug": "news",
        "name": "The news",
        "description": "Weekly",
        "members": 0,
    }
    assert send(api, "GET", "/lists/").json()["results"] == [shown]
    upsert(api, email="ada@example.com", lists=["news"])
    assert send(api, "GET", "/lists/news/").json()["members"] == 1
    assert send(api, "DELETE", "/lists/news").status_code == 204
    assert send(api, "GET", "/lists/news").status_code == 404
    assert ContactChange.objects.filter(kind="list").count() == 2


def test_a_list_that_cannot_be_is_refused(api):
    make_list(api)
    assert faults(send(api, "POST", "/lists/", {"slug": "A b", "description": 7})) == [
        ("slug", ["slug"]),
        ("name", ["name"]),
        ("length", ["description"]),
    ]
    assert faults(send(api, "POST", "/lists/", {"slug": "news", "name": "Again"})) == [("taken", ["slug"])]
    assert faults(send(api, "PATCH", "/lists/news", {"slug": "olds"})) == [("unknown", ["slug"])]
    assert send(api, "PATCH", "/lists/olds", {"name": "Olds"}).status_code == 404


def test_a_list_that_a_segment_asks_about_is_kept(api):
    make_list(api)
    make_live("readers", {"in_list": "news"})
    answer = send(api, "DELETE", "/lists/news")
    assert answer.status_code == 409 and "readers" in answer.json()["detail"]


def test_contacts_are_added_and_removed_by_any_of_their_names(api):
    make_list(api)
    ada = upsert(api, external_id="ada", email="Ada@Example.com").json()
    upsert(api, external_id="bob")
    answer = send(
        api,
        "POST",
        "/lists/news/contacts",
        {
            "add": [
                {"id": ada["id"]},
                {"email": "ADA@example.com"},
                {"external_id": "bob"},
                {"email": "no@example.com"},
            ],
            "remove": [{"external_id": "eve"}, 7],
        },
    ).json()
    assert {name: answer[name] for name in ("added", "removed", "unchanged")} == {
        "added": 2,
        "removed": 0,
        "unchanged": 1,
    }
    assert [(each["index"], each["errors"][0]["code"], each["errors"][0]["loc"]) for each in answer["rejected"]] == [
        (3, "unknown_contact", ["add", 3]),
        (0, "unknown_contact", ["remove", 0]),
        (1, "type", ["remove", 1]),
    ]
    inside = send(api, "GET", "/lists/news/contacts/").json()["results"]
    assert [contact["external_id"] for contact in inside] == ["bob", "ada"]
    assert inside[1]["lists"] == ["news"]
    assert ContactEvent.objects.filter(type="list_joined", properties={"list": "news"}).count() == 2
    answer = send(api, "POST", "/lists/news/contacts", {"remove": [{"external_id": "bob"}]}).json()
    assert answer["removed"] == 1
    assert [each["external_id"] for each in send(api, "GET", "/contacts/?list=news").json()["results"]] == ["ada"]


@pytest.mark.parametrize("body", [{}, [], {"add": []}, {"add": 1}, {"add": [{}] * 600, "remove": [{}] * 600}])
def test_a_change_of_a_list_names_one_to_a_thousand(api, body):
    make_list(api)
    assert send(api, "POST", "/lists/news/contacts", body).status_code == 400


def test_whoever_comes_back_is_told_again(api):
    make_list(api)
    upsert(api, external_id="ada", lists=["news"])
    upsert(api, external_id="ada", lists=["news"])
    send(api, "POST", "/lists/news/contacts", {"remove": [{"external_id": "ada"}]})
    upsert(api, external_id="ada", lists=["news"])
    assert ContactEvent.objects.filter(type="list_joined").count() == 2


def test_an_upsert_into_a_list_that_does_not_exist_is_refused(api):
    make_list(api)
    assert faults(upsert(api, external_id="ada", lists=["news", "olds"])) == [("unknown_list", ["lists", 1])]
    assert not Contact.objects.exists()
    answer = send(
        api,
        "POST",
        "/contacts/bulk",
        {"contacts": [{"external_id": "ada", "lists": ["olds"]}, {"external_id": "bob", "lists": ["news"]}]},
    ).json()
    assert (answer["created"], [each["index"] for each in answer["rejected"]]) == (1, [0])
    bob = send(api, "GET", "/contacts/?external_id=bob").json()["results"][0]
    assert send(api, "PATCH", f"/contacts/{bob['id']}", bob).status_code == 200  # what was shown can be sent back


# -- segments ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("slug", [{}, [], 7, None, True])
def test_a_slug_that_is_no_text_is_refused(api, slug):
    answer = send(api, "POST", "/segments", {"slug": slug, "name": "Pro", "condition": PRO})
    assert faults(answer) == [("slug", ["slug"])]


def test_segments_are_made_shown_changed_and_deleted(api):
    upsert(api, external_id="ada", attributes={"plan": "pro"})
    made = send(api, "POST", "/segments", {"slug": "pro", "name": "Pro", "condition": PRO})
    assert made.status_code == 201
    assert (made.json()["state"], made.json()["sentence"]) == ("building", "plan is “pro”")
    fill()
    shown = send(api, "GET", "/segments/pro/").json()
    assert (shown["state"], shown["members"], shown["progress"], shown["condition"]) == ("live", 1, 1.0, PRO)
    (ada,) = send(api, "GET", "/segments/pro/contacts").json()["results"]
    assert (ada["external_id"], ada["segments"]) == ("ada", ["pro"])
    assert send(api, "GET", "/contacts/?segment=pro").json()["results"] == [ada]
    assert send(api, "GET", "/contacts/?segment=other").json()["results"] == []
    assert send(api, "PATCH", "/segments/pro", {"name": "Paying"}).json()["state"] == "live"
    changed = send(api, "PATCH", "/segments/pro", {"condition": {"all": []}}).json()
    assert (changed["name"], changed["state"], changed["sentence"]) == ("Paying", "building", "always")
    assert [each["slug"] for each in send(api, "GET", "/segments/").json()["results"]] == ["pro"]
    assert send(api, "DELETE", "/segments/pro").status_code == 204
    assert not Segment.objects.exists()


def test_what_is_wrong_with_a_condition_is_told_with_its_path(api):
    condition = {"any": [{"field": "plan", "op": "like", "value": 1}, {"not": {"event": "x", "count": -1}}]}
    answer = send(api, "POST", "/segments/", {"slug": "odd", "name": "Odd", "condition": condition})
    assert faults(answer) == [
        ("unknown_operator", ["condition", "any", 0, "op"]),
        ("wrong_value", ["condition", "any", 1, "not", "count"]),
    ]
    assert faults(send(api, "POST", "/segments/", {"slug": "preview", "name": "A"})) == [
        ("reserved", ["slug"]),
        ("not_an_object", ["condition"]),
    ]


def test_a_segment_that_others_ask_about_is_kept(api):
    make_live("pro")
    make_live("good", {"in_segment": "pro"})
    assert send(api, "DELETE", "/segments/pro").status_code == 409


def test_a_preview_changes_nothing_and_tells_what_it_cost(api):
    people({"plan": "pro"}, {"plan": "free"})
    answer = send(api, "POST", "/segments/preview", {"condition": PRO})
    assert answer.status_code == 200
    seen = answer.json()
    assert (seen["count"], seen["estimated"], seen["slow"], len(seen["sample"])) == (1, False, False, 1)
    assert seen["sample"][0]["attributes"] == {"plan": "pro"}
    assert seen["ms"] >= 0 and seen["cost"] > 0 and seen["sentence"] == "plan is “pro”"
    assert not Segment.objects.exists()
    assert faults(send(api, "POST", "/segments/preview/", {"condition": {"in_segment": "x"}})) == [
        ("unknown_segment", ["condition", "in_segment"])
    ]


# -- scopes and pages --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/tags/", "/lists/", "/segments/"])
def test_reading_and_writing_have_their_scopes(path):
    reader, writer = Api(make_key("contacts:read")), Api(make_key("contacts:write"))
    assert send(reader, "GET", path).status_code == 200
    assert send(reader, "POST", path, {}).status_code == 403
    assert send(writer, "GET", path).status_code == 403
    assert send(writer, "POST", path, {}).status_code == 400


def test_members_come_in_pages(api):
    make_list(api)
    found = people(*[{}] * 5)
    ids = [str(public_id) for public_id in Contact.objects.filter(pk__in=found).values_list("public_id", flat=True)]
    send(api, "POST", "/lists/news/contacts", {"add": [{"id": each} for each in ids]})
    seen, path = [], "/api/v1/lists/news/contacts/?limit=2"
    while path:
        page = api.call("GET", path, b"").json()
        seen += [each["id"] for each in page["results"]]
        path = page["next"] and page["next"].removeprefix("http://testserver")
    assert sorted(seen) == sorted(ids) and len(seen) == 5


@pytest.mark.parametrize("kind", ["tag", "list", "segment"])
def test_the_pages_of_a_group_have_everybody_of_it_once_there_and_back(api, kind, now):
    """Also where many in a row are no contacts any more, whatever was left of them."""
    inside = [each for number, each in enumerate(people(*[{}] * 20)) if number % 4]
    if kind == "tag":
        tag = Tag.objects.create(name="in")
        ContactTag.objects.bulk_create([ContactTag(contact_id=each, tag=tag, added_at=now) for each in inside])
    elif kind == "list":
        news = List.objects.create(slug="in")
        ListMember.objects.bulk_create([ListMember(contact_id=each, list=news, joined_at=now) for each in inside])
    else:
        pro = Segment.objects.create(slug="in", condition=True)
        SegmentMember.objects.bulk_create(
            [SegmentMember(contact_id=each, segment=pro, entered_at=now) for each in inside]
        )
    gone = inside[3:11]
    Contact.objects.filter(pk__in=gone).update(erased_at=now)
    expected = [f"p{pk}" for pk in sorted(set(inside) - set(gone), reverse=True)]
    Contact.objects.update(external_id=Concat(Value("p"), Cast("pk", TextField())))
    there, pages, path = [], [], f"/api/v1/contacts/?{kind}=in&limit=2"
    while path:
        pages.append(api.call("GET", path, b"").json())
        there += [each["external_id"] for each in pages[-1]["results"]]
        path = (pages[-1]["next"] or "").removeprefix("http://testserver")
    assert there == expected and all(len(page["results"]) == 2 for page in pages[:-1])
    back, path = [], pages[-1]["previous"]
    while path:
        page = api.call("GET", path.removeprefix("http://testserver"), b"").json()
        back = [each["external_id"] for each in page["results"]] + back
        path = page["previous"]
    assert back == expected[: len(back)] and len(back) >= len(expected) - 2


def test_groups_are_asked_for_together(api, now):
    one, both, other = people({}, {}, {})
    vip, news = Tag.objects.create(name="vip"), List.objects.create(slug="news")
    ContactTag.objects.bulk_create([ContactTag(contact_id=each, tag=vip, added_at=now) for each in (one, both)])
    ListMember.objects.bulk_create([ListMember(contact_id=each, list=news, joined_at=now) for each in (both, other)])

    def found(**asked: str) -> list[str]:
        return [each["id"] for each in api.get("/api/v1/contacts/", **asked).json()["results"]]

    ids = {pk: str(public_id) for pk, public_id in Contact.objects.values_list("pk", "public_id")}
    assert found(tag="vip") == [ids[both], ids[one]]
    assert found(tag="vip", list="news") == [ids[both]]
    assert found(tag="vip", list="nosuch") == found(tag="vip", created_before="2020-01-01T00:00:00Z") == []
    assert found(tag="vip", created_after="2020-01-01T00:00:00Z") == [ids[both], ids[one]]


def test_names_that_cannot_be_are_nowhere(api):
    make_list(api)
    assert send(api, "GET", "/tags/%00").status_code == 404
    assert send(api, "GET", "/contacts/?tag=%00").json()["results"] == []
    body = {"add": [{"external_id": "\x00"}, {"id": "7"}, {"email": ""}, {"name": "x"}]}
    answer = send(api, "POST", "/lists/news/contacts", body)
    assert answer.status_code == 200 and len(answer.json()["rejected"]) == 4
    assert List.objects.count() == 1
