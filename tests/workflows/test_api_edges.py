"""What integrators meet at the edges of the API: odd bytes, other spellings of an address, and how it says no."""

import io
import json

import pytest
from django.core.management import call_command
from django.db import transaction

from contacts import access, clock, identity
from contacts.identifiers import Identifiers
from contacts.models import Contact
from tests import journeys
from tests.journeys import definition, step
from workflows.models import Enrolment

pytestmark = pytest.mark.django_db(transaction=True)

PAUSE = {"pause": step("wait", mode="duration", **{"for": "P9D"})}
ALL = ("workflows:read", "workflows:write", "workflows:publish", "contacts:read", "delivery:read")


@pytest.fixture
def call(client):
    """Call the API; returns (status, body, type of the body)."""

    def send(method: str, path: str, body=None):
        with transaction.atomic():
            key = access.create_key(name="test", kind="secret", scopes=list(ALL), now=clock.now())
        response = client.generic(
            method, f"/api/v1{path}", "" if body is None else json.dumps(body),
            content_type="application/json", headers={"Authorization": f"Bearer {key}"},
        )  # fmt: skip
        return response.status_code, response.json(), response.headers["Content-Type"]

    return send


def known(name: str) -> Contact:
    names = Identifiers(external_id=name, email=f"{name}@example.com")
    with transaction.atomic():
        found = identity.resolve([names], source="api", now=clock.now())
    return Contact.objects.get(pk=found.contact_ids[0])


@pytest.mark.parametrize(
    "path",
    [
        "/contacts/{contact}/why?workflow=%00",
        "/workflows/dead-letters?workflow=%00",
        "/workflows/dead-letters?step=%00",
        "/workflows/journey/enrolments?external_id=%00",
        "/workflows/journey/enrolments?email=%00",
        "/messages?workflow=%00",
        "/messages?template=%00",
    ],
)
def test_a_null_character_in_a_question_is_no_fault_of_ours(call, path):
    journeys.publish(definition(PAUSE))
    status, body, _ = call("GET", path.format(contact=journeys.contact().public_id))
    assert status in (400, 404) or body["results"] == []


def test_refusing_to_publish_is_a_problem_that_names_the_places(call):
    call("POST", "/workflows/", {**definition(PAUSE), "start": "nowhere"})
    status, body, content_type = call("POST", "/workflows/journey/publish")
    assert (status, content_type) == (422, "application/problem+json")
    assert {"type", "title", "status", "detail"} <= body.keys() and body["status"] == 422
    assert body["errors"][0] == {"loc": ["start"], "msg": "there is no step 'nowhere'", "code": "dangling_next"}
    assert body["valid"] is False and body["problems"][0]["field"] == "start"


def test_the_place_of_a_problem_in_a_step_begins_with_the_step(call):
    call("POST", "/workflows/", definition({"tag": step("add_tag")}))
    _, body, _ = call("POST", "/workflows/journey/publish")
    assert body["errors"][0]["loc"] == ["steps", "tag", "config", "tag"]


def test_a_conflict_is_told_in_a_sentence(call):
    call("POST", "/workflows/", definition(PAUSE))
    assert call("POST", "/workflows/journey/pause")[1]["detail"] == "This workflow is a draft."
    person = {"contacts": [{"email": "a@example.com"}]}
    said = call("POST", "/workflows/journey/enrol", person)[1]["detail"]
    assert said == "This workflow is a draft; only a live one takes people in."
    call("POST", "/workflows/journey/publish")
    assert call("POST", "/workflows/journey/resume")[1]["detail"] == "This workflow is live."
    call("POST", "/workflows/journey/archive")
    assert call("POST", "/workflows/journey/publish")[1]["detail"] == "An archived workflow cannot be published."


@pytest.mark.parametrize("prefix", ["/workflows/enrolments", "/enrolments"])
@pytest.mark.parametrize("end", ["", "/"])
def test_an_enrolment_is_removed_at_either_address(call, prefix, end):
    journeys.publish(definition(PAUSE))
    contact = journeys.contact()
    journeys.track(contact.pk, "signed_up")
    journeys.run()
    status, body, _ = call("POST", f"{prefix}/{Enrolment.objects.get().public_id}/remove{end}")
    assert (status, body["exit_reason"]) == (200, "manually_removed")


@pytest.mark.parametrize("slug", ["schema", "dead-letters"])
def test_a_slug_that_is_an_address_of_the_api_is_a_problem(call, slug):
    status, body, _ = call("POST", "/workflows/", definition(PAUSE, slug=slug))
    assert status == 201 and [each["field"] for each in body["problems"]] == ["slug"]


def test_a_single_contact_is_enrolled_under_its_own_name(call):
    journeys.publish(definition(PAUSE))
    contact = known("u1")
    assert call("POST", "/workflows/journey/enrol", {"contact": {"external_id": "u1"}})[1]["entered"] == 1
    assert Enrolment.objects.get().contact_id == contact.pk
    status, body, _ = call("POST", "/workflows/journey/enrol", {"contact": {"external_id": "u1"}, "contacts": []})
    assert status == 400 and body["errors"][0]["loc"] == ["contacts"]


@pytest.mark.parametrize("question", ["external_id=u1", "email=U1@Example.com"])
def test_enrolments_are_found_by_any_name_of_the_contact(call, question):
    journeys.publish(definition(PAUSE))
    first, second = known("u1"), known("u2")
    journeys.track([first.pk, second.pk], "signed_up")
    journeys.run()
    rows = call("GET", f"/workflows/journey/enrolments?{question}")[1]["results"]
    assert [row["contact"] for row in rows] == [str(first.public_id)]


def test_a_body_of_another_workflow_names_the_place(call):
    _, body, _ = call("PUT", "/workflows/journey", definition(PAUSE, slug="other"))
    assert body["errors"] == [{"loc": ["slug"], "msg": "must be 'journey', as in the address", "code": "mismatch"}]


def test_the_document_of_the_whole_api_is_clean(capsys):
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=io.StringIO())
    assert "arning" not in capsys.readouterr().err
