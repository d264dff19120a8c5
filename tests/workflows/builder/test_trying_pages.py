"""The panel of "Test contact": who may, what it refuses, and what comes back to be drawn."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from contacts import clock
from tests import journeys
from tests.journeys import definition, step
from tests.workflows.journey_tests.playing import database_url
from workflows import publishing
from workflows.models import Enrolment, Workflow
from workflows.trying import process

pytestmark = pytest.mark.django_db(transaction=True)

INVENTED = {"who": "invented", "email": "zoe@example.com", "timezone": "Europe/Madrid", "at": "2027-01-11T13:00"}


@pytest.fixture
def journey() -> Workflow:
    journeys.template("hello")
    steps = {"hello": step("send_email", {"next": "tag"}, template="hello"), "tag": step("add_tag", tag="t")}
    return publishing.save_draft(definition=definition(steps), now=clock.now())


@pytest.fixture
def child(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Children find the database of the tests."""
    monkeypatch.setenv("DATABASE_URL", database_url())
    yield
    process.end()


def somebody(*permissions: str) -> Client:
    user = User.objects.create_user(f"staff{User.objects.count()}", is_staff=True)
    for name in permissions:
        app, codename = name.split(".")
        user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    client = Client()
    client.force_login(user)
    return client


def page(journey: Workflow, name: str = "trying") -> str:
    return reverse(f"admin:workflows_workflow_{name}", args=[journey.pk])


def test_whoever_may_look_may_test_and_twice_in_a_row(journey, child):
    looker = somebody("workflows.view_workflow")
    for _ in range(2):
        answer = looker.post(page(journey), INVENTED)
        assert answer.status_code == 200, answer.content
    found = answer.json()
    assert found["ways"] == [[".trigger", "start"], ["hello", "next"], ["tag", "next"]]
    assert found["marks"]["hello"]["words"] == "Mon 11 Jan, 13:00 Madrid · would be sent"
    assert "Would be sent" in found["html"] and "Europe/Madrid" in found["html"]
    assert not Enrolment.objects.exists()


def test_nobody_else_may(journey):
    assert somebody().post(page(journey), INVENTED).status_code == 403
    assert somebody().get(page(journey, "trying_contacts"), {"q": "a"}).status_code == 403


def test_contacts_are_for_those_who_may_see_them(journey):
    ada = journeys.contact("ada@example.com", external_id="crm-7")
    looker = somebody("workflows.view_workflow")
    assert b"A contact" not in looker.get(page(journey)).content
    assert str(ada.pk).encode() not in looker.get(page(journey, "trying_contacts"), {"q": "ada"}).content
    refused = looker.post(page(journey), {"who": "contact", "contact": str(ada.pk)})
    assert refused.status_code == 422 and "may not look at contacts" in refused.json()["message"]


def test_a_contact_is_found_by_the_beginning_of_an_address_or_an_external_id(journey):
    ada = journeys.contact("ada@example.com", external_id="crm-7", timezone="Europe/Berlin")
    journeys.contact("bob@example.com")
    seer = somebody("workflows.view_workflow", "contacts.view_contact", "contacts.see_personal_data")
    for term in ("ada", "ADA@example.com", "crm-7"):
        found = seer.get(page(journey, "trying_contacts"), {"q": term}).content.decode()
        assert f'value="{ada.pk}"' in found and "ada@example.com" in found and "Europe/Berlin" in found
        assert "bob" not in found
    assert "Nobody is called so" in seer.get(page(journey, "trying_contacts"), {"q": "zoe"}).content.decode()


def test_a_draft_with_errors_says_which_and_is_not_tested(journey):
    steps = {"hello": step("send_email", template="no-such")}
    Workflow.objects.filter(pk=journey.pk).update(draft=definition(steps))
    looker = somebody("workflows.view_workflow")
    panel = looker.get(page(journey)).content.decode()
    assert "there is no template" in panel and 'data-solve="hello"' in panel
    refused = looker.post(page(journey), INVENTED)
    assert refused.status_code == 422 and refused.json() == {"message": "Solve the problem of the draft first."}


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"who": "contact"}, "Choose a contact"),
        ({"who": "contact", "contact": "4711"}, "not there any more"),
        ({"at": "tomorrow"}, "a date and a time"),
        ({"attributes": "plan"}, "such as “plan: trial”"),
        ({"attributes": "a: [1"}, "such as “plan: trial”"),
        ({"habit": "eats"}, "Say what they do"),
        ({"event": "ordered", "after": "soon", "unit": "D"}, "in whole numbers"),
    ],
)
def test_what_was_filled_in_wrongly_is_told_in_a_sentence(journey, said, told):
    seer = somebody("workflows.view_workflow", "contacts.view_contact")
    refused = seer.post(page(journey), {**INVENTED, **said})
    assert refused.status_code == 422 and told in refused.json()["message"]
