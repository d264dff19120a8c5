"""Which merge tags would show nothing, and to how many."""

from __future__ import annotations

import pytest
from django.db import transaction

from contacts import clock, events
from contacts.conditions import compile_condition, parse
from delivery.authoring import missing
from delivery.authoring.rendering import Words
from delivery.authoring.templates import Wording
from tests.delivery import making

pytestmark = pytest.mark.django_db


def report(html: str = "", *, subject: str = "", audience: object = None, event_type: str = "", locales=None):
    wording = Wording(Words(subject, "", html, ""), locales or {})
    with transaction.atomic():
        where = compile_condition(parse(audience), now=clock.now()) if audience else missing.TRUE
        return missing.report([wording], where=where, event_type=event_type)


def gaps(html: str = "", **given) -> dict[str, int]:
    return {gap.name: gap.missing for gap in report(html, **given).gaps}


@pytest.fixture(autouse=True)
def people():
    making.contact("a@example.com", attributes={"first_name": "Ada", "plan": "pro", "address": {"city": "Rome"}})
    making.contact("b@example.com", attributes={"first_name": "", "plan": "free", "items": [{"name": "bell"}]})
    making.contact("c@example.com", attributes={"first_name": None, "vip": True}, phone="+4930123456")


@pytest.mark.parametrize(
    ("html", "lacking"),
    [
        ("{{first_name}}", {"first_name": 2}),
        ("{{contact.first_name}}{{{first_name}}}", {"first_name": 2}),
        ("{{address.city}}", {"address.city": 2}),
        ("{{contact.phone}}{{contact.email}}{{contact.id}}", {"contact.phone": 2}),
        ("{{first_name}}{{^first_name}}there{{/first_name}}", {}),
        ("{{^first_name}}there{{/first_name}} {{first_name}}", {}),
        ("{{#first_name}}Hi {{first_name}}{{/first_name}}", {}),
        ("{{first_name}}{{^first_name}}there{{/first_name}} and {{first_name}}", {"first_name": 2}),
        ("{{#address}}{{address.city}}{{/address}}", {}),
        ("{{#vip}}{{first_name}}{{/vip}}", {"first_name": 1}),
        ("{{^vip}}{{first_name}}{{/vip}}", {"first_name": 1}),
        ("{{#plan}}{{#vip}}{{first_name}}{{/vip}}{{/plan}}", {}),
        ("{{#items}}{{name}}{{/items}}", {}),
        ("{{unsubscribe_url}}{{brand_name}}{{! first_name }}", {}),
        ("{{no'such}}", {"no'such": 3}),
        ("{{a%s}}", {"a%s": 3}),
    ],
)
def test_how_many_lack_what_a_tag_names(html, lacking):
    assert gaps(html) == lacking


def test_the_report_says_where_and_who_and_what_is_taken_care_of():
    told = report("{{first_name}}{{plan}}", subject="{{first_name}}{{vip}}{{^vip}}x{{/vip}}")
    assert (told.audience, told.is_part, told.handled) == (3, False, ("vip",))
    first, second = told.gaps
    assert (first.name, first.parts, first.missing, len(first.sample)) == ("first_name", ("subject", "html"), 2, 2)
    assert (second.name, second.missing) == ("plan", 1)


def test_only_the_audience_is_asked():
    asked = report("{{first_name}}", audience={"field": "plan", "op": "exists"})
    assert (asked.audience, asked.gaps[0].missing) == (2, 1)


def test_every_language_counts():
    assert gaps("x", locales={"de": Words("", "", "{{plan}}", "")}) == {"plan": 1}


def test_a_large_audience_is_asked_in_part(monkeypatch):
    monkeypatch.setattr(missing, "LOOKED_AT", 2)
    told = report("{{first_name}}")
    assert (told.audience, told.is_part) == (2, True)


def test_what_the_event_brings_is_asked_of_the_latest_events():
    who = making.contacts(1)[0]
    given = [{"total": 3}, {"total": ""}, {}]
    with transaction.atomic():
        batch = [events.NewEvent("order", None, who, properties, {}, key=str(n)) for n, properties in enumerate(given)]
        events.record_batch(batch, source="api", now=clock.now())
    told = report("{{trigger.total}} {{trigger.order.id}}", event_type="order")
    assert told.events == 3 and {gap.name: gap.missing for gap in told.gaps} == {
        "trigger.total": 2,
        "trigger.order.id": 3,
    }
    assert report("{{trigger.total}}").gaps == ()  # nobody said which event
