"""The page that answers "why did she get this?"."""

import pytest
from django.urls import reverse

from tests import journeys
from tests.journeys import definition, step

pytestmark = pytest.mark.django_db(transaction=True)


def page(contact_id: int, slug: str = "") -> str:
    address = reverse("admin:workflows_enrolment_why", args=[contact_id])
    return f"{address}?workflow={slug}" if slug else address


def test_it_answers_for_a_journey_that_was_met_first(admin_client):
    journeys.publish(definition({"tag": step("add_tag", tag="a")}, slug="aardvark", name="Aardvark"))
    seats = {"field": "seats", "op": "gt", "value": 2}
    journeys.publish(
        definition(
            {
                "size": {
                    **step("branch", {"big": None, "else": None}, arms=[{"key": "big", "if": seats}]),
                    "name": "How large?",
                }
            },
            slug="zebra",
            name="Zebra",
            entry={"trigger": {"type": "event", "event": "ordered"}},
        )
    )
    contact = journeys.contact(attributes={"seats": 3})
    journeys.track(contact.pk, "ordered", properties={"order_id": "A-17"})
    journeys.run()
    journeys.track(contact.pk, "ordered", properties={"order_id": "A-18"}, key="again")
    journeys.run()
    shown = admin_client.get(page(contact.pk)).content.decode()
    assert "How large?" in shown and "The contact has been in it, and may not enter again" in shown
    assert "because “ordered” happened, and came to the end." in shown
    assert "A-17" in shown and "seats is greater than 2" in shown and "written down then" in shown
    shown = admin_client.get(page(contact.pk, "aardvark")).content.decode()
    assert "“signed_up” never happened" in shown and "stopped here" in shown and "as of now" in shown


def test_who_met_nothing_sees_that_there_is_nothing(admin_client):
    contact = journeys.contact()
    assert "No journey is published yet." in admin_client.get(page(contact.pk)).content.decode()
    assert admin_client.get(page(contact.pk, "nowhere")).status_code == 200
    assert admin_client.get(page(0)).status_code == 404


def test_it_is_in_the_menu_of_the_contacts_page_for_whoever_may(admin_client, client):
    contact = journeys.contact()
    address = reverse("admin:contacts_contact_change", args=[contact.pk])
    assert page(contact.pk) in admin_client.get(address).content.decode()
    assert client.get(page(contact.pk)).status_code == 302
