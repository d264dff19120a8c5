"""Taking people out by hand: over HTTP, and in the admin."""

import json
import uuid

import pytest
from django.contrib.auth.models import Permission
from django.db import transaction
from django.urls import reverse

from analytics.models import CounterDelta
from contacts import access, clock
from tests import journeys
from tests.journeys import definition, step
from workflows import publishing
from workflows.models import Enrolment, JournalEntry

pytestmark = pytest.mark.django_db(transaction=True)

PAUSE = {"pause": step("wait", mode="duration", **{"for": "P9D"})}


@pytest.fixture
def remove(client):
    """POST …/remove with a key of these scopes; returns (status, body)."""

    def send(public_id: object, *, scopes=("workflows:write",), end: str = ""):
        with transaction.atomic():
            key = access.create_key(name="robot", kind="secret", scopes=list(scopes), now=clock.now())
        address = f"/api/v1/workflows/enrolments/{public_id}/remove{end}"
        response = client.post(address, headers={"Authorization": f"Bearer {key}"})
        return response.status_code, json.loads(response.content)

    return send


def under_way(**changes) -> Enrolment:
    journeys.publish(definition(PAUSE, **changes))
    contact = journeys.contact()
    journeys.track(contact.pk, "signed_up")
    journeys.run()
    return journeys.enrolment(contact.pk)


@pytest.mark.parametrize("end", ["", "/"])
def test_whoever_is_under_way_leaves_and_the_answer_shows_it(remove, end):
    enrolment = under_way()
    status, body = remove(enrolment.public_id, end=end)
    assert (status, body["state"], body["exit_reason"]) == (200, "exited", "manually_removed")
    assert body["id"] == str(enrolment.public_id) and body["wake_at"] is None and body["finished_at"]
    assert JournalEntry.objects.get(outcome="left").detail == {"reason": "manually_removed", "by": "key robot"}
    assert CounterDelta.objects.get(metric="exited:manually_removed").amount == 1


def test_the_same_request_again_changes_nothing(remove):
    enrolment = under_way()
    first, second = remove(enrolment.public_id), remove(enrolment.public_id)
    assert first == second
    assert JournalEntry.objects.filter(outcome="left").count() == 1


def test_who_came_to_the_end_stays_as_they_are(remove):
    enrolment = under_way()
    journeys.wake_all()
    journeys.run()
    assert remove(enrolment.public_id)[1]["state"] == "completed"


def test_who_waits_for_a_place_or_is_held_in_a_pause_leaves_too(remove):
    enrolment = under_way(settings={"concurrency_cap": 1})
    assert enrolment.held
    publishing.pause(slug="journey", now=clock.now())
    assert remove(enrolment.public_id)[1]["exit_reason"] == "manually_removed"
    enrolment.refresh_from_db()
    assert not enrolment.held and enrolment.waiting_since is None


def test_nobody_is_found_under_a_strange_id(remove):
    assert remove(uuid.uuid4())[0] == 404
    assert remove("0000")[0] == 404


def test_a_key_without_the_scope_is_refused(remove):
    enrolment = under_way()
    assert remove(enrolment.public_id, scopes=("workflows:read",))[0] == 403
    enrolment.refresh_from_db()
    assert enrolment.state == "waiting"


# -- the admin ---------------------------------------------------------------------------------------------------------


def test_one_is_taken_out_on_their_page(admin_client, admin_user):
    enrolment = under_way()
    page = reverse("admin:workflows_enrolment_change", args=[enrolment.pk])
    assert "Take this person out?" in admin_client.get(page).content.decode()
    answer = admin_client.post(reverse("admin:workflows_enrolment_take_out", args=[enrolment.pk]), follow=True)
    assert "Taken out." in answer.content.decode() and "Take this person out?" not in answer.content.decode()
    assert f"was taken out by hand ({admin_user.get_username()})" in answer.content.decode()
    again = admin_client.post(reverse("admin:workflows_enrolment_take_out", args=[enrolment.pk]), follow=True)
    assert "The journey was over already." in again.content.decode()


def test_many_are_taken_out_in_the_list(admin_client):
    journeys.publish(definition(PAUSE))
    journeys.track(journeys.contacts(5), "signed_up")
    journeys.run()
    rows = list(Enrolment.objects.order_by("pk").values_list("pk", flat=True))
    answer = admin_client.post(
        reverse("admin:workflows_enrolment_changelist"),
        {"action": "take_out_selected", "_selected_action": rows[:3], "index": 0},
        follow=True,
    )
    assert "Taken out: 3." in answer.content.decode()
    assert Enrolment.objects.filter(exit_reason="manually_removed").count() == 3


def test_who_may_only_look_takes_nobody_out(client, django_user_model):
    viewer = django_user_model.objects.create_user("viewer", is_staff=True, password="x")
    viewer.user_permissions.add(Permission.objects.get(codename="view_enrolment"))
    client.force_login(viewer)
    enrolment = under_way()
    page = client.get(reverse("admin:workflows_enrolment_change", args=[enrolment.pk])).content.decode()
    assert "Take this person out?" not in page
    deed = reverse("admin:workflows_enrolment_take_out", args=[enrolment.pk])
    assert client.post(deed).status_code == 403 and client.get(deed).status_code == 403
    client.post(
        reverse("admin:workflows_enrolment_changelist"),
        {"action": "take_out_selected", "_selected_action": [enrolment.pk], "index": 0},
    )
    enrolment.refresh_from_db()
    assert enrolment.state == "waiting"


def test_by_following_a_link_nobody_is_taken_out(admin_client):
    enrolment = under_way()
    assert admin_client.get(reverse("admin:workflows_enrolment_take_out", args=[enrolment.pk])).status_code == 403
