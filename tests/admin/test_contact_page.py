"""The page of a contact: what it tells, what can be changed on it, and by whom."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.urls import reverse

from contacts import clock
from contacts.models import (
    ConsentRecord,
    Contact,
    ContactChange,
    ContactEvent,
    ContactIdentity,
    ContactTag,
    List,
    ListMember,
    Segment,
    SegmentMember,
)
from contacts.pages import contact_edit, floors


def page(contact: Contact, name: str = "change") -> str:
    return reverse(f"admin:contacts_contact_{name}", args=[contact.pk])


def said(answer: Any) -> str:
    return " ".join(str(message) for message in get_messages(answer.wsgi_request))


def filled(client, contact: Contact, **changed: Any) -> dict[str, Any]:
    """What a browser would send if nothing but `changed` were touched: fields by their name, attributes by
    `name=(type, value)`, `None` for a tick at Remove."""
    shown = client.get(page(contact, "edit")).context
    rows = shown["attributes"]
    wanted = changed.pop("attributes", {})
    body: dict[str, Any] = {row.name: row.value for row in shown["fields"]} | changed
    body |= {f"was_{row.name}": row.was for row in shown["fields"]}
    removed = []
    for position, row in enumerate(rows):
        if row.name in wanted:
            value = wanted.pop(row.name)
            if value is None:
                removed.append(str(position))
            else:
                row.type, row.value = value
        elif not row.name and wanted:
            row.name, (row.type, row.value) = wanted.popitem()
    body |= {f"attribute_{part}": [getattr(row, part) for row in rows] for part in ("name", "type", "value", "was")}
    return body | {"attribute_remove": removed}


# -- what it tells -----------------------------------------------------------------------------------------------------


def test_the_page_tells_lists_segments_conflicts_evidence_and_what_changed(maya, town):
    segment = Segment.objects.create(slug="active", name="Active people", condition={"all": []}, state="live")
    SegmentMember.objects.create(segment=segment, contact_id=town.ana.pk, entered_at=clock.now())
    news = List.objects.create(slug="news", name="Newsletter")
    ListMember.objects.create(list=news, contact=town.ana, joined_at=clock.now())
    ConsentRecord.objects.create(
        contact_id=town.ana.pk, category="marketing", topic="tours", state="granted", recorded_at=clock.now(),
        source="confirm", evidence={"ip": "192.0.2.7", "policy_version": "2026-03"},
    )  # fmt: skip
    shown = maya.get(page(town.ana)).content.decode()
    for text in (
        "Active people", "Newsletter", "belong to somebody else", "192.0.2.7", "2026-03", "Marketing: tours",
        "Manager", "first seen",
    ):  # fmt: skip
        assert text in shown, text


def test_an_action_of_another_room_is_in_the_menu_of_those_who_may(maya, staff, town, monkeypatch):
    monkeypatch.setattr(floors, "_actions", {})
    floors.register_action("Erase", "admin:contacts_contact_timeline", "contacts.delete_contact", "delete", danger=True)
    action = f'href="{page(town.ana, "timeline")}"'
    assert action in maya.get(page(town.ana)).content.decode()
    viewer = staff("contacts.view_contact")
    assert action not in viewer.get(page(town.ana)).content.decode()


# -- tags and lists ----------------------------------------------------------------------------------------------------


def tags_of(contact: Contact) -> set[str]:
    return set(ContactTag.objects.filter(contact=contact).values_list("tag__name", flat=True))


def test_a_tag_is_added_and_removed_and_the_history_says_so(maya, town):
    before = tags_of(town.ana)
    assert "Tagged “champion”" in said(maya.post(page(town.ana, "audience"), {"add_tag": "  champion "}))
    assert tags_of(town.ana) == {*before, "champion"}
    assert ContactEvent.objects.get(type="tag_added").properties == {"tag": "champion"}
    assert "there already" in said(maya.post(page(town.ana, "audience"), {"add_tag": "champion"}))
    maya.post(page(town.ana, "audience"), {"remove_tag": "champion"})
    assert tags_of(town.ana) == before
    changes = ContactChange.objects.filter(contact_id=town.ana.pk, kind="tag", name="champion").order_by("id")
    assert [(each.old, each.new, each.source) for each in changes] == [(False, True, "admin"), (True, False, "admin")]


@pytest.mark.parametrize("tag", ["x" * 300, "a\nb", "   ", "a\x00b"])
def test_what_is_no_tag_is_refused(maya, town, tag):
    before = tags_of(town.ana)
    assert maya.post(page(town.ana, "audience"), {"add_tag": tag}).status_code == 302
    assert tags_of(town.ana) == before


def test_a_contact_joins_a_list_and_leaves_it(maya, town):
    List.objects.create(slug="news", name="Newsletter")
    maya.post(page(town.ana, "audience"), {"join": "news"})
    assert ListMember.objects.get().contact_id == town.ana.pk
    maya.post(page(town.ana, "audience"), {"leave": "news"})
    assert not ListMember.objects.exists()
    assert "Nothing changed" in said(maya.post(page(town.ana, "audience"), {"join": "nowhere"}))


# -- editing -----------------------------------------------------------------------------------------------------------


def test_only_what_was_changed_is_said(maya, town):
    body = filled(maya, town.ana, locale="pt-BR")
    Contact.objects.filter(pk=town.ana.pk).update(timezone="Asia/Tokyo", attributes={"first_name": "Anna", "new": 1})
    before = ContactChange.objects.count()
    assert maya.post(page(town.ana, "edit"), body).status_code == 302
    town.ana.refresh_from_db()
    assert (town.ana.locale, town.ana.timezone) == ("pt-BR", "Asia/Tokyo")
    assert town.ana.attributes == {"first_name": "Anna", "new": 1}
    changes = ContactChange.objects.order_by("-id")[: ContactChange.objects.count() - before]
    assert [(each.kind, each.name, each.new, each.source) for each in changes] == [
        ("field", "locale", "pt-BR", "admin")
    ]


def test_saving_what_was_shown_changes_nothing(maya, town):
    Contact.objects.filter(pk=town.ana.pk).update(
        attributes={
            "note": "two\nlines",
            "n": 1.5,
            "at": "2026-03-04",
            "deep": {"a": [1, None]},
            "": "odd",
            "t": "true",
        }
    )
    body = filled(maya, town.ana)
    body["attribute_value"] = [value.replace("\n", "\r\n") for value in body["attribute_value"]]  # as browsers do
    before = ContactChange.objects.count()
    maya.post(page(town.ana, "edit"), body)
    assert ContactChange.objects.count() == before


def test_attributes_keep_the_type_that_was_chosen(maya, town):
    new = {
        "seats": ("number", "12"), "ratio": ("number", "0.5"), "beta": ("boolean", "TRUE"),
    }  # fmt: skip
    assert maya.post(page(town.ana, "edit"), filled(maya, town.ana, attributes=dict(new))).status_code == 302
    more = {"since": ("date", "2026-03-04"), "code": ("text", "007"), "deep": ("json", '{"a": [1]}')}
    maya.post(page(town.ana, "edit"), filled(maya, town.ana, attributes={**more, "company": None}))
    town.ana.refresh_from_db()
    kept = town.ana.attributes
    assert (kept["seats"], kept["ratio"], kept["beta"]) == (12, 0.5, True)
    assert (kept["since"], kept["code"], kept["deep"]) == ("2026-03-04", "007", {"a": [1]})
    assert "company" not in kept
    assert kept["first_name"] == "Ana"


@pytest.mark.parametrize(
    ("type", "value"),
    [
        ("number", "twelve"), ("number", "NaN"), ("number", "true"), ("number", "1e999"), ("number", "9" * 30),
        ("boolean", "yes"), ("date", "2026-02-30"), ("date", "soon"), ("json", "{"), ("json", '{"a": 1, "a": 2}'),
        ("json", "[" * 100_000),
    ],
)  # fmt: skip
def test_a_value_that_is_not_of_its_type_is_refused_at_its_row(maya, town, type, value):
    answer = maya.post(page(town.ana, "edit"), filled(maya, town.ana, locale="xx", attributes={"odd": (type, value)}))
    assert answer.status_code == 200
    (row,) = [row for row in answer.context["attributes"] if row.name == "odd"]
    assert row.error
    assert row.value == value
    town.ana.refresh_from_db()
    assert "odd" not in town.ana.attributes
    assert town.ana.locale == "es-ES"


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("email", "not an address", ""),
        ("email", "", "cannot be taken away"),
        ("timezone", "Mars/Olympus", "IANA"),
        ("phone", "call me", ""),
    ],
)
def test_a_field_that_is_wrong_is_refused_at_its_place(maya, town, field, value, expected):
    answer = maya.post(page(town.ana, "edit"), filled(maya, town.ana, **{field: value}))
    assert answer.status_code == 200
    (row,) = [row for row in answer.context["fields"] if row.name == field]
    assert expected in row.error
    assert row.error


def test_the_name_of_somebody_else_is_refused_and_nothing_is_changed(maya, town):
    answer = maya.post(page(town.ana, "edit"), filled(maya, town.ana, email=town.mallory.email, locale="xx"))
    (row,) = [row for row in answer.context["fields"] if row.name == "email"]
    assert "belongs to another contact" in row.error
    town.ana.refresh_from_db()
    assert town.ana.locale == "es-ES"
    assert ContactIdentity.objects.get(value=town.mallory.email).contact_id == town.mallory.pk


def test_a_form_that_nobody_would_send_is_no_error(maya, town):
    body = {"attribute_name": ["a", "b"], "attribute_type": ["x"], "attribute_value": ["1"], "attribute_was": ["{"]}
    assert maya.post(page(town.ana, "edit"), body).status_code in {200, 302}


def test_every_type_reads_back_what_it_shows():
    for value in ("text", "2026-03-04", 5, 0.5, True, False, ["a"], {"b": None}):
        text = value if isinstance(value, str) else json.dumps(value)
        assert contact_edit.value_of(contact_edit.type_of(value), text) == value


# -- who may what ------------------------------------------------------------------------------------------------------


def test_who_may_only_look_sees_no_form_and_can_change_nothing(staff, town):
    viewer = staff("contacts.view_contact")
    shown = viewer.get(page(town.ana)).content.decode()
    assert "add_tag" not in shown
    assert page(town.ana, "edit") not in shown
    assert viewer.get(page(town.ana, "edit")).status_code == 403
    assert viewer.post(page(town.ana, "edit"), {"locale": "xx"}).status_code == 403
    assert viewer.post(page(town.ana, "audience"), {"add_tag": "x"}).status_code == 403


@pytest.mark.parametrize("gone", ["erased_at", "merged_into_id"])
def test_who_is_gone_cannot_be_changed(maya, town, gone):
    Contact.objects.filter(pk=town.ana.pk).update(**{gone: clock.now() if gone == "erased_at" else town.mallory.pk})
    assert page(town.ana, "edit") not in maya.get(page(town.ana)).content.decode()
    assert maya.get(page(town.ana, "edit")).status_code == 403
    assert maya.post(page(town.ana, "audience"), {"add_tag": "x"}).status_code == 403


def test_no_deed_is_done_by_following_a_link(maya, town):
    assert maya.get(page(town.ana, "audience"), {"add_tag": "x"}).status_code == 403
