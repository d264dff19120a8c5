"""What somebody would get, and what somebody got."""

from __future__ import annotations

import pytest
from django.db import transaction

from contacts import clock, upserting
from contacts.models import Contact
from contacts.upserting import Person
from delivery.authoring import previews
from delivery.authoring.previews import NoSuchContact
from delivery.authoring.rendering import Words
from delivery.authoring.templates import Wording
from tests.delivery import making

pytestmark = pytest.mark.django_db

WORDS = Words("Hi {{first_name}}", "For {{contact.email}}", "<p>{{first_name}} {{trigger.order_id}}</p>", "")


def said(email: str = "ada@example.com", attributes=None, **fields: str) -> int:
    with transaction.atomic():
        person = Person({"email": email, **fields}, attributes or {})
        made = upserting.upsert([person], source="api", now=clock.now())
    assert made.contact_ids[0] is not None
    return made.contact_ids[0]


def test_an_example_person_reads_it_and_what_has_not_happened_stands_in_brackets():
    shown = previews.preview(WORDS)
    assert (shown.rendered.subject, shown.preheader) == ("Hi Ana", "For ana.ruiz@example.com")
    assert "Ana [order id]" in shown.rendered.html and shown.person == "an example person"
    assert "/u/example" in shown.rendered.html and shown.language == ""


def test_an_event_can_be_given():
    shown = previews.preview(WORDS, trigger={"order_id": "A7"})
    assert "Ana A7" in shown.rendered.html


def test_what_cannot_be_rendered_says_why():
    shown = previews.preview(Words("{{#a}}", "", "", ""))
    assert shown.problem.startswith("subject: ") and shown.rendered.subject == ""


def test_a_language_can_be_tried():
    wording = Wording(WORDS, {"de": Words("Hallo", "", "<p>x</p>", "")})
    assert previews.preview(wording).rendered.subject == "Hi Ana"
    shown = previews.preview(wording, locale="de-AT")
    assert (shown.rendered.subject, shown.language) == ("Hallo", "de")


def test_a_contact_is_found_by_any_of_their_names():
    who = Contact.objects.get(pk=said("Ada@Example.com", {"first_name": "Ada"}, external_id="u1", locale="de"))
    for name in (str(who.public_id), "u1", "ADA@example.com"):
        person = previews.person(name)
        assert (person.attributes, person.locale) == ({"first_name": "Ada"}, "de")
    for nobody in ("nobody", "a\x00b", "x" * 10_000, "00000000-0000-0000-0000-000000000000"):
        with pytest.raises(NoSuchContact):
            previews.person(nobody)
    assert previews.person("") is previews.EXAMPLE


def sent(**fields) -> tuple[int, str]:
    who = said(attributes={"first_name": "Ada", "plan": "pro"}, **fields)
    version = making.template(
        subject="Hi {{first_name}}",
        html="<p>{{plan}} {{trigger.order}} {{gone}}</p>",
        locales={"de": {"subject": "Hallo {{first_name}}"}},
    )
    context = {"about": {"workflow": "journey", "step": "s"}, "trigger": {"order": "A7"}}
    message = making.message(who, version_id=version, context=context)
    making.deliver()
    making.age("at", "contact_send_log", "1 hour")
    return who, str(message.public_id)


def test_what_she_got_is_told_although_everything_has_changed_since():
    who, mid = sent(locale="de-AT")
    mail = making.SandboxMail.objects.get(mid=mid)
    said(attributes={"first_name": "Augusta", "plan": None, "gone": "new"}, locale="fr")
    making.template(subject="New words")
    told = previews.as_sent(mid)
    assert told is not None and told.is_exact
    assert (told.language, told.rendered.subject) == ("de", mail.subject) == ("de", "Hallo Ada")
    assert "pro A7" in told.rendered.html and "new" not in told.rendered.html
    Contact.objects.filter(pk=who).update(erased_at=clock.now())
    again = previews.as_sent(mid)
    assert again is not None and not again.is_exact


def test_where_no_answer_came_the_language_follows_from_what_the_contact_spoke():
    _, mid = sent(locale="de")
    making.change("DELETE FROM contact_send_log WHERE kind <> 'claimed'", [])
    said(locale="fr")
    told = previews.as_sent(mid)
    assert told is not None and told.language == "de"


def test_what_was_never_handed_over_has_no_words():
    message = making.message()
    assert previews.as_sent(message.public_id) is None
    assert previews.as_sent("00000000-0000-0000-0000-000000000000") is None
