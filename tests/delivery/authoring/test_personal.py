"""What is personal stays out of subjects and out of requests to other servers."""

from __future__ import annotations

import pytest

from contacts import clock
from delivery.authoring import personal, templates
from delivery.authoring.templates import BadTemplate


@pytest.fixture(autouse=True)
def marked(settings):
    settings.PERSONAL_ATTRIBUTES = ["salary", "address", "contact.phone"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{{first_name}} {{contact.plan}}", []),
        ("{{salary}}", ["salary"]),
        ("{{{contact.salary}}}{{&salary}}", ["salary"]),
        ("{{address.street}}", ["address"]),
        ("{{#address}}{{street}}{{/address}}", ["address"]),
        ("{{#salary}}{{.}}{{/salary}}", ["salary"]),
        ("{{#contact}}{{salary}}{{/contact}}", ["salary"]),
        ("{{#salary}}you have one{{/salary}}", []),
        ("{{contact}}", ["contact"]),
        ("{{contact.phone}}", ["contact.phone"]),
        ("{{phone}}", []),
        ("{{contact.email}}", []),
        ("{{=<% %>=}}<% salary %>", ["salary"]),
    ],
)
def test_marked_names_are_found_however_they_are_written(text, found):
    assert [fault.msg.split()[0] for fault in personal.faults(text, allowed=[])] == found


def test_identifiers_count_where_they_are_asked_for_and_what_is_allowed_does_not():
    assert [f.code for f in personal.faults("{{contact.email}}", allowed=[], identifiers=True)] == ["personal"]
    assert not list(personal.faults("{{contact.email}}", allowed=["contact.email"], identifiers=True))
    assert not list(personal.faults("{{salary}}", allowed=["salary"]))


def test_what_may_go_to_another_server():
    fields, attributes = personal.without({"email": "a", "phone": "1"}, {"salary": 1, "plan": "x"}, allowed=[])
    assert (fields, attributes) == ({"email": "a"}, {"plan": "x"})
    assert personal.without({"phone": "1"}, {"salary": 1}, allowed=["salary", "contact.phone"])[1] == {"salary": 1}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("words", "place"),
    [
        ({"subject": "You earn {{salary}}"}, ("subject",)),
        ({"subject": "x", "preheader": "{{contact.email}}"}, ("preheader",)),
        ({"subject": "x", "locales": {"de": {"subject": "{{salary}}"}}}, ("locales", "de", "subject")),
    ],
)
def test_a_subject_with_something_personal_is_refused_unless_it_is_allowed(words, place):
    given = {"slug": "pay", "name": "Pay", "html": "<p>{{salary}} {{contact.email}}</p>", "now": clock.now(), **words}
    with pytest.raises(BadTemplate) as refused:
        templates.save_version(**given)
    assert [(fault.loc, fault.code) for fault in refused.value.faults] == [(place, "personal")]
    assert templates.save_version(**given, options={"allow_personal": ["salary", "contact.email"]})


@pytest.mark.django_db
def test_a_partial_brings_nothing_personal_into_a_subject():
    templates.save_version(slug="pay", name="Pay", kind="partial", text="{{salary}}", now=clock.now())
    with pytest.raises(BadTemplate, match="salary is personal"):
        templates.save_version(slug="mail", name="Mail", subject="{{> pay}}", now=clock.now())
