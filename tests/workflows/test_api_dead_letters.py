"""Failed steps and brakes over HTTP, and the command for many of them."""

from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction

from contacts import access, clock
from contacts.models import Contact
from tests import journeys
from tests.journeys import definition, step
from workflows import intake
from workflows.models import DeadLetter, Enrolment, EnrolmentBrake, Workflow
from workflows.steps.add_tag import AddTag

pytestmark = pytest.mark.django_db(transaction=True)

ROUTE = "/api/v1/workflows/dead-letters"
TAGS = {"one": step("add_tag", {"next": "two"}, tag="first"), "two": step("add_tag", tag="second")}


@pytest.fixture
def api(client):
    """Call the API with a key of these scopes."""

    def send(method: str, path: str, *, scopes: str):
        with transaction.atomic():
            key = access.create_key(name="test", kind="secret", scopes=[scopes], now=clock.now())
        return client.generic(method.upper(), path, headers={"Authorization": f"Bearer {key}"})

    return send


@pytest.fixture
def failed(monkeypatch) -> list[int]:
    journeys.publish(definition(TAGS))
    ids = journeys.contacts(3)
    journeys.track(ids, "signed_up")
    with monkeypatch.context() as patch:
        patch.setattr(AddTag, "run", lambda self, cohort, prepared, now: 1 / 0)
        for _ in range(3):
            journeys.run()
            journeys.try_again_now()
    return ids


def test_the_list_tells_what_failed_where_and_for_whom(api, failed):
    answer = api("get", f"{ROUTE}/", scopes="workflows:read").json()
    assert len(answer["results"]) == 3
    newest = answer["results"][0]
    assert (newest["workflow"], newest["step"], newest["category"], newest["error"], newest["attempts"]) == (
        "journey", "one", "permanent", "ZeroDivisionError", 2,
    )  # fmt: skip
    assert newest["state"] == "open" and "test_api_dead_letters.py" in newest["trace"]
    assert {row["contact"] for row in answer["results"]} == {
        str(row.public_id) for row in Contact.objects.filter(pk__in=failed)
    }


@pytest.mark.parametrize(
    ("query", "count"),
    [("workflow=journey", 3), ("step=two", 0), ("category=transient", 0), ("state=retried", 0), ("state=open", 3)],
)
def test_the_list_can_be_narrowed(api, failed, query, count):
    assert len(api("get", f"{ROUTE}?{query}", scopes="workflows:read").json()["results"]) == count


@pytest.mark.parametrize("query", ["state=lost", "category=odd"])
def test_a_filter_that_makes_no_sense_is_named(api, failed, query):
    answer = api("get", f"{ROUTE}?{query}", scopes="workflows:read")
    assert answer.status_code == 400 and answer.json()["errors"][0]["loc"] == [query.partition("=")[0]]


@pytest.mark.parametrize(
    ("deed", "state", "enrolment"),
    [("retry", "retried", "active"), ("skip", "skipped", "active"), ("exit", "exited", "exited")],
)
def test_each_deed_answers_the_letter_as_it_is_then_and_is_done_once(api, failed, deed, state, enrolment):
    letter = DeadLetter.objects.first()
    path = f"{ROUTE}/{letter.public_id}/{deed}/"
    answer = api("post", path, scopes="workflows:write")
    assert answer.status_code == 200 and answer.json()["state"] == state
    assert Enrolment.objects.get(pk=letter.enrolment_id).state == enrolment
    again = api("post", path, scopes="workflows:write")
    assert again.status_code == 409 and "already" in again.json()["detail"]


def test_what_is_not_there_is_404_and_a_key_that_may_only_read_gets_403(api, failed):
    assert api("post", f"{ROUTE}/{uuid4()}/retry", scopes="workflows:write").status_code == 404
    letter = DeadLetter.objects.first()
    assert api("post", f"{ROUTE}/{letter.public_id}/retry", scopes="workflows:read").status_code == 403


def test_a_brake_is_released_once(api):
    journeys.publish(definition(TAGS))
    workflow = Workflow.objects.get()
    EnrolmentBrake.objects.create(workflow=workflow, braked_at=clock.now(), rate=2000, usual=3)
    journeys.track(journeys.contact().pk, "signed_up")
    intake.match_batch(lane="urgent")
    assert Enrolment.objects.get().state == "pending"
    answer = api("post", "/api/v1/workflows/journey/release", scopes="workflows:publish")
    assert answer.status_code == 200 and (answer.json()["rate"], answer.json()["workflow"]) == (2000, "journey")
    assert api("post", "/api/v1/workflows/journey/release/", scopes="workflows:publish").status_code == 409
    journeys.run()
    assert Enrolment.objects.get().state == "completed"


def test_the_command_takes_all_that_match_and_says_how_many(failed, capsys):
    call_command("replay_dead_letters", workflow="journey", step="one")
    assert capsys.readouterr().out == "retried: 3\n"
    journeys.run()
    assert Enrolment.objects.filter(state="completed").count() == 3


def test_the_command_says_why_somebody_stays(failed, capsys):
    Workflow.objects.update(status="archived")
    call_command("replay_dead_letters", deed="skip")
    assert capsys.readouterr().out == "skipped: 0\nleft as they are, workflow archived: 3\n"
    call_command("replay_dead_letters", deed="exit")
    assert capsys.readouterr().out == "exited: 3\n"


def test_the_command_knows_its_workflows(failed):
    with pytest.raises(CommandError, match="no workflow 'elsewhere'"):
        call_command("replay_dead_letters", workflow="elsewhere")
