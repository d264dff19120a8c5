"""Lists and tags in the admin: made, filled by pasting, emptied and deleted."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.contrib.messages import get_messages
from django.urls import reverse

from contacts.models import AuditEntry, Contact, ContactTag, List, ListMember, Segment, Tag

AT = datetime(2026, 1, 5, 12, tzinfo=UTC)


def page(model: str, name: str, *args: Any) -> str:
    return reverse(f"admin:contacts_{model}_{name}", args=args)


def said(answer: Any) -> str:
    return " ".join(str(message) for message in get_messages(answer.wsgi_request))


def members(row: List) -> set[int]:
    return set(ListMember.objects.filter(list=row).values_list("contact_id", flat=True))


def test_a_list_is_made_renamed_and_keeps_its_slug(maya):
    maya.post(page("list", "add"), {"name": "Beta Testers", "slug": "", "description": "first"})
    row = List.objects.get()
    assert (row.slug, row.name, row.description) == ("beta-testers", "Beta Testers", "first")
    assert (
        "is the slug of another list"
        in maya.post(page("list", "add"), {"name": "Beta testers", "slug": "", "description": ""}).content.decode()
    )
    maya.post(page("list", "change", row.pk), {"name": "Pioneers", "slug": "x", "description": ""})
    row.refresh_from_db()
    assert (row.slug, row.name) == ("beta-testers", "Pioneers")


def test_people_are_put_in_by_pasting_what_they_are_called_however_it_is_spelt(maya, town):
    row = List.objects.create(slug="news", name="News")
    pasted = f"{town.ana.email.upper()}, {town.mallory.external_id};nobody@example.com\r\n\tghost-7 {town.ana.email}"
    answer = maya.post(page("list", "members", row.pk), {"pasted": pasted})
    assert members(row) == {town.ana.pk, town.mallory.pk}
    assert "2 put into the list" in said(answer)
    assert "nobody@example.com, ghost-7" in said(answer)
    again = maya.post(page("list", "members", row.pk), {"pasted": town.ana.email})
    assert "1 were in it already" in said(again)
    assert "Paste email addresses" in said(maya.post(page("list", "members", row.pk), {"pasted": " , \x00"}))


def test_the_merged_and_the_erased_are_not_put_in(maya, town):
    row = List.objects.create(slug="news", name="News")
    Contact.objects.filter(pk=town.ana.pk).update(merged_into_id=town.mallory.pk)
    maya.post(page("list", "members", row.pk), {"pasted": town.ana.email})
    assert members(row) == set()


def test_too_many_at_once_are_refused_as_a_whole(maya):
    row = List.objects.create(slug="news", name="News")
    answer = maya.post(page("list", "members", row.pk), {"pasted": " ".join(f"n{each}" for each in range(5001))})
    assert "At most 5,000" in said(answer)


def test_a_member_is_taken_out_and_the_page_shows_who_is_left(maya, town):
    row = List.objects.create(slug="news", name="News")
    maya.post(page("list", "members", row.pk), {"pasted": f"{town.ana.email} {town.mallory.email}"})
    maya.post(page("list", "members", row.pk), {"contact": str(town.ana.pk)})
    assert members(row) == {town.mallory.pk}
    shown = maya.get(page("list", "change", row.pk)).context["members"].rows
    assert [member.contact_id for member in shown] == [town.mallory.pk]


def test_a_list_that_a_segment_asks_about_is_not_deleted(maya, town):
    row = List.objects.create(slug="news", name="News")
    maya.post(page("list", "members", row.pk), {"pasted": town.ana.email})
    segment = Segment.objects.create(slug="readers", name="Readers", condition={"all": [{"in_list": "news"}]})
    assert "readers" in said(maya.post(page("list", "delete", row.pk)))
    assert List.objects.exists()
    segment.delete()
    assert "1 left it" in said(maya.post(page("list", "delete", row.pk)))
    assert not List.objects.exists()
    assert not ListMember.objects.exists()


def test_a_tag_shows_who_has_it_and_is_taken_from_one_or_from_everybody(maya, town):
    tag = Tag.objects.get(name="vip")
    having = set(ContactTag.objects.filter(tag=tag).values_list("contact_id", flat=True))
    shown = maya.get(page("tag", "change", tag.pk)).context["members"].rows
    assert {member.contact_id for member in shown} == having
    maya.post(page("tag", "take", tag.pk), {"contact": str(town.ana.pk)})
    assert set(ContactTag.objects.filter(tag=tag).values_list("contact_id", flat=True)) == having - {town.ana.pk}
    answer = maya.post(page("tag", "take", tag.pk))
    assert f"{len(having) - 1} contacts had it" in said(answer)
    assert not Tag.objects.filter(name="vip").exists()
    entry = AuditEntry.objects.get(what="tag.deleted")
    assert (entry.actor, entry.object_id, entry.before) == ("maya", "vip", {"contacts": len(having) - 1})


def test_who_may_only_look_changes_neither_lists_nor_tags(staff, town):
    row = List.objects.create(slug="news", name="News")
    ListMember.objects.create(list=row, contact=town.ana, joined_at=town.ana.created_at)
    tag = Tag.objects.get(name="vip")
    viewer = staff("contacts.view_list", "contacts.view_tag")
    shown = viewer.get(page("list", "change", row.pk)).content.decode()
    assert 'name="pasted"' not in shown
    assert town.ana.email not in shown
    assert viewer.post(page("list", "change", row.pk), {"name": "x"}).status_code == 403
    assert viewer.post(page("list", "members", row.pk), {"contact": str(town.ana.pk)}).status_code == 403
    assert viewer.post(page("list", "delete", row.pk)).status_code == 403
    assert viewer.get(page("list", "add")).status_code == 403
    assert town.ana.email not in viewer.get(page("tag", "change", tag.pk)).content.decode()
    assert viewer.post(page("tag", "take", tag.pk)).status_code == 403
    assert staff().get(page("list", "change", row.pk)).status_code == 403
    assert members(row) == {town.ana.pk}


def test_no_deed_is_done_by_following_a_link(maya):
    row = List.objects.create(slug="news", name="News")
    tag = Tag.objects.get_or_create(name="vip")[0]
    for address in (page("list", "delete", row.pk), page("list", "members", row.pk), page("tag", "take", tag.pk)):
        assert maya.get(address).status_code == 403
    assert List.objects.exists()


def test_a_tag_is_renamed_and_two_become_one(maya, town):
    for contact, name in ((town.ana, "vpi"), (town.ana, "VIP"), (town.mallory, "vpi")):
        ContactTag.objects.create(contact_id=contact.pk, tag=Tag.objects.get_or_create(name=name)[0], added_at=AT)
    old, new = Tag.objects.get(name="vpi"), Tag.objects.get(name="VIP")
    answer = maya.post(page("tag", "rename", old.pk), {"name": " VIP "})
    assert answer.headers["Location"] == page("tag", "change", new.pk)
    assert "“vpi” is “VIP” now: 2 contacts." in said(answer)
    assert set(ContactTag.objects.filter(tag=new).values_list("contact_id", flat=True)) == {
        town.ana.pk,
        town.mallory.pk,
    }
    assert maya.post(page("tag", "rename", old.pk), {"name": "x"}).status_code == 404


def test_a_tag_is_not_renamed_to_nothing_nor_while_a_segment_names_it(maya, town):
    row = Tag.objects.create(name="vpi")
    assert "Not renamed: a tag must have" in said(maya.post(page("tag", "rename", row.pk), {"name": " "}))
    Segment.objects.create(slug="readers", name="Readers", condition={"has_tag": "vpi"})
    refused = said(maya.post(page("tag", "rename", row.pk), {"name": "vip"}))
    assert "Not renamed: it is named by the segment “readers”." in refused
    assert Tag.objects.filter(name="vpi").exists()


def test_who_was_absorbed_is_neither_counted_nor_shown(maya, town):
    row = List.objects.create(slug="news", name="News")
    maya.post(page("list", "members", row.pk), {"pasted": f"{town.ana.email} {town.mallory.email}"})
    Contact.objects.filter(pk=town.ana.pk).update(merged_into_id=town.mallory.pk)
    context = maya.get(page("list", "change", row.pk)).context
    assert context["count"] == "1"
    assert [member.contact_id for member in context["members"].rows] == [town.mallory.pk]


def test_who_was_erased_is_in_no_list_of_contacts(maya, town):
    everybody = maya.get(page("contact", "changelist")).context["cl"].result_count
    Contact.objects.filter(pk=town.ana.pk).update(erased_at=AT)
    assert maya.get(page("contact", "changelist")).context["cl"].result_count == everybody - 1
    assert maya.get(page("contact", "change", town.ana.pk)).status_code == 200
