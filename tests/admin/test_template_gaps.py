"""Who lacks what a draft names: told in the editor before a version goes live, in numbers alone."""

from __future__ import annotations

from typing import Any

from contacts.models import Contact
from delivery.models import Template
from tests.admin.test_templates import draft, made, page, post


def lacking(client, body: dict[str, Any]) -> list[tuple[str, str, str]]:
    answer = post(client, page("lacking"), {"draft": body})
    assert answer.status_code == 200, answer.content
    return [(each["locale"], each["place"], each["words"]) for each in answer.json()["findings"]]


def test_who_lacks_what_the_words_name_is_told_before_they_are_saved(maya):
    for n in range(2):
        Contact.objects.create(email=f"c{n}@example.com", attributes={})
    before = Template.objects.count()
    everybody = Contact.objects.filter(merged_into=None, erased_at=None).count()
    body = draft()
    words = body["words"][""]
    words["subject"] = "Welcome, {{first_name}}"
    suggested = "Say something else there: {{first_name}}{{^first_name}}there{{/first_name}}"
    told = lacking(maya, body)
    assert told[0] == ("", "subject", f"In 2 of {everybody} contacts first_name is empty. {suggested}")
    words["subject"] = "Welcome, {{first_name}}{{^first_name}}there{{/first_name}}"
    words["source"]["body"] = [{"type": "heading", "text": "Hello {{contact.shoe_size}}"}]
    ((locale, place, said),) = lacking(maya, body)
    assert (locale, place) == ("", "blocks.0.text")
    assert said.startswith(f"In {everybody} of {everybody} contacts shoe_size is empty.")
    words["source"]["body"] = [{"type": "heading", "text": "Hello"}]
    body["words"]["de"] = {**words, "preheader": "Für {{hobby}}"}
    ((locale, place, said),) = lacking(maya, body)
    assert (locale, place) == ("de", "preheader") and f"{everybody} contacts hobby" in said
    assert Template.objects.count() == before


def test_a_draft_that_cannot_be_made_yet_lacks_nothing(maya):
    body = draft()
    body["words"][""]["subject"] = "{{#open}}"
    assert lacking(maya, body) == []


def test_how_many_lack_a_value_is_told_to_whoever_may_see_contacts_alone(maya, staff):
    template = made(maya)
    viewer = staff("delivery.view_template")
    assert post(viewer, page("lacking"), {"draft": draft()}).status_code == 403
    assert "lacking" not in viewer.get(page("change", template.pk)).context["data"]["urls"]
    both = staff("delivery.view_template", "contacts.view_contact")
    assert post(both, page("lacking"), {"draft": draft()}).status_code == 200
    assert both.get(page("lacking")).status_code == 403
