"""Segments in the admin: written, tried, read, checked and deleted."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.urls import reverse

from contacts import clock
from contacts.models import Contact, Segment, SegmentMember
from contacts.pages.members import SHOWN

DIRECTORS = {"field": "job_title", "op": "contains", "value": "Director"}


def make(slug: str, condition: dict, *, state: str = "live", members: tuple[int, ...] = ()) -> Segment:
    segment = Segment.objects.create(slug=slug, name=slug.title(), condition=condition, state=state)
    SegmentMember.objects.bulk_create(
        SegmentMember(segment=segment, contact_id=each, entered_at=clock.now()) for each in members
    )
    return segment


def page(name: str, *args: Any) -> str:
    return reverse(f"admin:contacts_segment_{name}", args=args)


def said(answer: Any) -> str:
    return " ".join(str(message) for message in get_messages(answer.wsgi_request))


def form(condition: Any, **more: str) -> dict[str, str]:
    text = condition if isinstance(condition, str) else json.dumps(condition)
    return {"name": "Directors", "slug": "", "description": "", "condition": text, **more}


def test_a_segment_is_made_and_its_slug_is_made_of_its_name(maya):
    answer = maya.post(page("add"), form(DIRECTORS, name="Directors of All Kinds", description="For the round table"))
    segment = Segment.objects.get()
    assert answer.headers["Location"] == page("change", segment.pk)
    assert (segment.slug, segment.state) == ("directors-of-all-kinds", "building")
    assert segment.condition == DIRECTORS
    shown = maya.get(page("change", segment.pk)).content.decode()
    assert "For the round table" in shown
    assert "Filling" in shown


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("{", "This is not JSON"),
        ('{"all": [], "all": []}', "same name twice"),
        ({"all": [DIRECTORS, {"field": "plan", "op": "like"}]}, "all[1].op: op is one of"),
        ({"any": [{"in_list": "nowhere"}]}, "any[0].in_list: there is no such list"),
        ({"event": "bought", "where": {"event": "x"}}, "where: the where of an event cannot count"),
    ],
)
def test_a_condition_with_a_mistake_is_not_saved_and_the_place_is_named(maya, condition, expected):
    answer = maya.post(page("add"), form(condition))
    assert answer.status_code == 200
    shown = answer.content.decode()
    assert expected in shown
    assert "Not saved" in shown
    assert not Segment.objects.exists()


def test_what_was_written_comes_back_with_the_mistake(maya):
    answer = maya.post(page("add"), form('{"all": [', name="Kept & true", description="as well"))
    shown = answer.content.decode()
    assert "{&quot;all&quot;: [" in shown
    assert "Kept &amp; true" in shown


def test_a_slug_is_taken_once_and_never_changes(maya):
    segment = make("directors", DIRECTORS)
    answer = maya.post(page("add"), form(DIRECTORS, slug="directors"))
    assert "is the slug of another segment" in answer.content.decode()
    maya.post(page("change", segment.pk), form(DIRECTORS, name="Chiefs", slug="chiefs"))
    segment.refresh_from_db()
    assert (segment.name, segment.slug, segment.state) == ("Chiefs", "directors", "live")


def test_another_condition_is_filled_anew(maya):
    segment = make("directors", DIRECTORS)
    maya.post(page("change", segment.pk), form({"not": DIRECTORS}))
    segment.refresh_from_db()
    assert (segment.condition, segment.state) == ({"not": DIRECTORS}, "building")


def test_a_segment_that_others_ask_about_is_not_deleted_and_they_are_named(maya):
    segment = make("directors", DIRECTORS)
    maya.post(page("add"), form({"in_segment": "directors"}, name="Board"))
    answer = maya.post(page("delete", segment.pk))
    assert "board" in said(answer)
    assert Segment.objects.filter(pk=segment.pk).exists()
    maya.post(page("delete", Segment.objects.get(slug="board").pk))
    maya.post(page("delete", segment.pk))
    assert not Segment.objects.exists()


def test_the_list_tells_who_is_meant_and_how_many_there_are(maya, town):
    make("directors", DIRECTORS, members=(town.ana.pk, town.mallory.pk))
    make("broken", {"field": "gone.", "op": "eq"})
    shown = maya.get(page("changelist")).content.decode()
    assert "job_title contains “Director”" in shown
    assert "can no longer be read" in shown
    rows = {row.slug: row.shown_standing.members for row in maya.get(page("changelist")).context["cl"].result_list}
    assert rows == {"directors": 2, "broken": 0}


# -- the preview and the sentence --------------------------------------------------------------------------------------


def try_out(client, tree: Any) -> dict[str, Any]:
    return client.post(page("preview"), json.dumps(tree), content_type="application/json").json()


def test_a_preview_counts_and_names_a_few(maya, town):
    found = try_out(maya, {"field": "email", "op": "eq", "value": town.ana.email})
    assert (found["count"], found["total"]) == (1, 24)
    assert found["sample"] == [
        {"name": town.ana.email, "url": reverse("admin:contacts_contact_change", args=[town.ana.pk])}
    ]
    assert "there is no such list" in try_out(maya, {"in_list": "nowhere"})["refused"]
    assert "JSON" in maya.post(page("preview"), "{", content_type="application/json").json()["refused"]


def explained(client, body: Any) -> dict[str, Any]:
    url = reverse("admin:contacts_condition_explain")
    return client.post(url, json.dumps(body), content_type="application/json").json()


def test_the_editor_hears_the_sentence_or_the_problems_with_their_paths(maya):
    assert explained(maya, {"condition": DIRECTORS})["sentence"] == "job_title contains “Director”"
    wrong = explained(maya, {"condition": {"all": [{"in_segment": "nowhere"}]}, "segment": ""})
    assert [(each["path"], each["code"]) for each in wrong["problems"]] == [("all[0].in_segment", "unknown_segment")]
    assert explained(maya, {"condition": {"in_segment": "nowhere"}})["valid"] is True
    scoped = {"condition": {"field": "event.total", "op": "gt", "value": 1}, "scope": ["event"]}
    assert explained(maya, scoped)["valid"] is True
    for nonsense in ([], {}, {"condition": None}, {"condition": DIRECTORS, "scope": 5, "segment": 7}):
        assert explained(maya, nonsense)["valid"] is (isinstance(nonsense, dict) and "scope" in nonsense)


# -- members -----------------------------------------------------------------------------------------------------------


def test_members_come_page_by_page_and_nobody_twice(maya, town):
    people = list(town.ana.__class__.objects.values_list("pk", flat=True))
    segment = make("all", {"all": []}, members=tuple(people))
    others = Contact.objects.bulk_create(Contact() for _ in range(SHOWN))
    SegmentMember.objects.bulk_create(
        SegmentMember(segment=segment, contact_id=each.pk, entered_at=clock.now()) for each in others
    )
    seen: list[int] = []
    before = 0
    while True:
        shown = maya.get(page("members", segment.pk), {"before": before} if before else {}).context["members"]
        seen += [member.contact_id for member in shown.rows]
        before = shown.before
        if not before:
            break
    assert len(seen) == len(set(seen)) == len(people) + SHOWN


def test_a_member_is_found_by_an_identifier_or_its_beginning(maya, town):
    segment = make("two", {"all": []}, members=(town.ana.pk, town.mallory.pk))
    for term in (town.ana.email.upper(), town.ana.email[:8], town.ana.external_id):
        rows = maya.get(page("members", segment.pk), {"q": term}).context["members"].rows
        assert [member.contact_id for member in rows] == [town.ana.pk], term
    assert "Nobody of that name" in maya.get(page("members", segment.pk), {"q": "zz"}).content.decode()
    assert maya.get(page("members", segment.pk), {"before": "x", "q": "\x00"}).status_code == 200


# -- the check ---------------------------------------------------------------------------------------------------------


def test_a_check_finds_a_wrong_membership_and_puts_it_right_only_when_asked(maya, town):
    only_ana = {"field": "email", "op": "eq", "value": town.ana.email}
    segment = make("ana", only_ana, members=(town.mallory.pk,))
    Segment.objects.filter(pk=segment.pk).update(reads=["field"])
    assert "2 wrong memberships were found" in said(maya.post(page("check", segment.pk)))
    assert SegmentMember.objects.get().contact_id == town.mallory.pk
    assert "2 wrong memberships were put right" in said(maya.post(page("check", segment.pk), {"repair": "yes"}))
    assert SegmentMember.objects.get().contact_id == town.ana.pk
    assert "every membership is right" in said(maya.post(page("check", segment.pk)))


# -- who may what ------------------------------------------------------------------------------------------------------


def test_who_may_only_look_changes_nothing(staff, town):
    segment = make("directors", DIRECTORS, members=(town.ana.pk,))
    viewer = staff("contacts.view_segment")
    shown = viewer.get(page("change", segment.pk)).content.decode()
    assert "job_title contains" in shown
    assert "<textarea" not in shown
    assert viewer.post(page("change", segment.pk), form({"all": []})).status_code == 403
    assert viewer.get(page("add")).status_code == 403
    assert viewer.post(page("delete", segment.pk)).status_code == 403
    assert viewer.post(page("check", segment.pk)).status_code == 403
    assert viewer.get(page("members", segment.pk)).status_code == 403
    assert try_out(viewer, DIRECTORS)["sample"] == []
    segment.refresh_from_db()
    assert segment.condition == DIRECTORS
    nobody = staff()
    for answer in (
        nobody.get(page("change", segment.pk)),
        nobody.post(page("preview"), "{}", content_type="text/plain"),
    ):
        assert answer.status_code == 403


def test_no_deed_is_done_by_following_a_link(maya):
    segment = make("directors", DIRECTORS)
    for name in ("delete", "check"):
        assert maya.get(page(name, segment.pk)).status_code == 403
    assert maya.get(page("preview")).status_code == 403
    assert maya.get(reverse("admin:contacts_condition_explain")).status_code == 403
    assert Segment.objects.exists()
