"""People are enrolled over HTTP: one by one at once, audiences as runs; everybody who is refused gets the reason."""

import json
import threading

import pytest
from django.db import connection, transaction

from contacts import access, clock, identity
from contacts.identifiers import Identifiers
from contacts.models import Contact
from tests import journeys
from tests.journeys import definition, step
from workflows import publishing
from workflows.entry import enrolling, entry_runs
from workflows.models import Enrolment, EntryRefusal, EntryRun, Workflow

pytestmark = pytest.mark.django_db(transaction=True)

END = {"tag": step("add_tag", tag="t")}
GERMANS = {"field": "country", "op": "eq", "value": "DE"}
NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def call(client):
    """Call the API with a key of these scopes; returns (status, body)."""

    def send(method: str, path: str, body=None, *, scopes=("workflows:read", "workflows:write")):
        with transaction.atomic():
            key = access.create_key(name="test", kind="secret", scopes=list(scopes), now=clock.now())
        response = client.generic(
            method, f"/api/v1/workflows{path}", "" if body is None else json.dumps(body),
            content_type="application/json", headers={"Authorization": f"Bearer {key}"},
        )  # fmt: skip
        return response.status_code, response.json()

    return send


def publish(**entry) -> None:
    journeys.publish(definition(END, entry={"trigger": {"type": "api"}, **entry}))


def person(n: int, **fields) -> Contact:
    """Known by e-mail and external id."""
    names = Identifiers(external_id=f"u{n}", email=f"u{n}@example.com")
    with transaction.atomic():
        found = identity.resolve([names], source="api", now=clock.now())
    Contact.objects.filter(pk=found.contact_ids[0]).update(**fields)
    return Contact.objects.get(pk=found.contact_ids[0])


def entered() -> list[int]:
    return sorted(Enrolment.objects.values_list("contact_id", flat=True))


def test_contacts_enter_at_once_by_id_or_by_any_name(call):
    publish()
    people = [person(n) for n in range(4)]
    status, body = call(
        "POST",
        "/journey/enrol",
        {
            "contacts": [
                str(people[0].public_id), {"id": str(people[1].public_id)}, {"external_id": "u2"},
                {"email": " U3@Example.com "},
            ],
            "properties": {"order": 7},
        },
    )  # fmt: skip
    assert (status, body) == (200, {"entered": 4, "refused": [], "repeated": 0, "dry_run": False})
    assert entered() == [each.pk for each in people]
    enrolment = Enrolment.objects.first()
    assert enrolment.trigger["type"] == "api" and enrolment.trigger["properties"] == {"order": 7}
    assert (enrolment.lane, enrolment.entry_event_id) == ("urgent", None)


def test_everybody_who_does_not_enter_is_answered_with_the_reason(call):
    publish(audience=GERMANS)
    here, there = person(1, attributes={"country": "DE"}), person(2)
    asked = [str(here.public_id), {"email": "u2@example.com"}, NOBODY, {"email": "who@example.com"}, {"email": "no"}]
    status, body = call("POST", "/journey/enrol", {"contacts": asked})
    assert status == 200 and body["entered"] == 1
    assert body["refused"] == [
        {"contact": asked[1], "reason": "audience"},
        *({"contact": each, "reason": "unknown_contact"} for each in asked[2:]),
    ]
    assert list(EntryRefusal.objects.values_list("contact_id", "reason", "event_id")) == [(there.pk, "audience", None)]
    assert Contact.objects.count() == 2
    _, again = call("POST", "/journey/enrol", {"contacts": [asked[0]]})
    assert again["refused"] == [{"contact": asked[0], "reason": "re_entry"}]
    assert EntryRefusal.objects.latest("id").detail == {"by": "api", "policy": "never", "unfinished": True}


def test_one_person_who_is_named_twice_enters_once(call):
    publish(re_entry={"policy": "every_time"})
    one = person(1)
    _, body = call("POST", "/journey/enrol", {"contacts": [str(one.public_id), {"external_id": "u1"}]})
    assert (body["entered"], body["repeated"], body["refused"]) == (1, 1, [])


def test_a_merged_contact_stands_for_the_one_it_lives_on_in(call):
    publish()
    one, other = person(1), person(2)
    Contact.objects.filter(pk=other.pk).update(merged_into_id=one.pk)
    call("POST", "/journey/enrol", {"contacts": [str(other.public_id)]})
    assert entered() == [one.pk]


def test_a_try_answers_the_same_and_changes_nothing(call):
    publish(audience=GERMANS)
    here, there = person(1, attributes={"country": "DE"}), person(2)
    asked = {"contacts": [str(here.public_id), str(there.public_id)]}
    _, tried = call("POST", "/journey/enrol", {**asked, "dry_run": True})
    assert not Enrolment.objects.exists() and not EntryRefusal.objects.exists()
    _, done = call("POST", "/journey/enrol", asked)
    assert {**done, "dry_run": True} == tried and done["entered"] == 1


@pytest.mark.parametrize("trigger", [{"type": "manual"}, {"type": "event", "event": "signed_up"}])
def test_any_live_journey_takes_people_who_are_added(call, trigger):
    journeys.publish(definition(END, entry={"trigger": trigger}))
    one = person(1)
    assert call("POST", "/journey/enrol", {"contacts": [str(one.public_id)], "lane": "bulk"})[1]["entered"] == 1
    assert journeys.enrolment(one.pk).lane == "bulk"


def test_a_journey_that_is_not_live_takes_nobody(call, now):
    publishing.save_draft(definition=definition(END), now=now)
    asked = {"contacts": [NOBODY]}
    assert call("POST", "/journey/enrol", asked)[0] == 409
    publish()
    publishing.pause(slug="journey", now=now)
    for body in (asked, {"audience": GERMANS}, {"audience": GERMANS, "dry_run": True}):
        status, answer = call("POST", "/journey/enrol", body)
        assert status == 409 and "paused" in answer["detail"]
    assert call("POST", "/nowhere/enrol", asked)[0] == 404


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ([], None),
        ({}, ["contacts"]),
        ({"contacts": [NOBODY], "audience": GERMANS}, ["contacts"]),
        ({"contacts": []}, ["contacts"]),
        ({"contacts": [NOBODY] * 1001}, ["contacts"]),
        ({"contacts": "all"}, ["contacts"]),
        ({"contacts": [NOBODY, 7]}, ["contacts", 1]),
        ({"contacts": ["not-an-id"]}, ["contacts", 0]),
        ({"contacts": [{}]}, ["contacts", 0]),
        ({"contacts": [{"shoe_size": "42"}]}, ["contacts", 0, "shoe_size"]),
        ({"contacts": [NOBODY], "properties": 7}, ["properties"]),
        ({"contacts": [NOBODY], "lane": "fast"}, ["lane"]),
        ({"contacts": [NOBODY], "dry_run": "no"}, ["dry_run"]),
        ({"contacts": [NOBODY], "colour": "red"}, ["colour"]),
        ({"audience": {"field": "country", "op": "shrug"}}, ["audience", "op"]),
        ({"audience": {"segment": "gone"}}, ["audience", "in_segment"]),
        ({"audience": {"segment": 7}}, ["audience", "in_segment"]),
        ({"audience": None}, ["audience"]),
    ],
)
def test_each_mistake_is_a_400_that_names_its_place(call, body, place):
    publish()
    status, answer = call("POST", "/journey/enrol", body)
    assert status == 400
    if place is not None:
        assert place in [error["loc"] for error in answer["errors"]]


def test_an_audience_is_a_run_that_can_be_watched_and_stopped(call):
    publish()
    journeys.contacts(3, attributes={"country": "DE"})
    journeys.contact("us@example.com")
    status, run = call("POST", "/journey/enrol", {"audience": GERMANS, "properties": {"order": 7}})
    assert status == 202 and (run["kind"], run["state"], run["share"], run["version"]) == ("api", "running", 0.0, 1)
    entry_runs.enter_slice(slice_=2)
    _, run = call("GET", f"/journey/runs/{run['id']}/")
    assert (run["entered"], run["state"]) == (2, "running") and 0 < run["share"] < 1
    assert call("POST", f"/journey/runs/{run['id']}/stop")[1]["state"] == "stopped"
    assert call("POST", f"/journey/runs/{run['id']}/stop/")[0] == 409
    assert [row["id"] for row in call("GET", "/journey/runs")[1]["results"]] == [run["id"]]
    assert call("GET", f"/journey/runs/{NOBODY}")[0] == 404
    assert not entry_runs.enter_slice() and Enrolment.objects.count() == 2


def test_an_audience_is_counted_without_beginning(call):
    publish()
    journeys.contacts(3, attributes={"country": "DE"})
    journeys.contact("us@example.com")
    status, body = call("POST", "/journey/enrol", {"audience": GERMANS, "dry_run": True})
    assert status == 200 and (body["matching"], body["estimated"], body["total"]) == (3, False, 4)
    assert len(body["sample"]) == 3 and not EntryRun.objects.exists()


def test_enrolling_needs_the_scope_to_write(call):
    publish()
    assert call("POST", "/journey/enrol", {"contacts": [NOBODY]}, scopes=("workflows:read",))[0] == 403
    assert call("GET", "/journey/runs/", scopes=("contacts:read",))[0] == 403


@pytest.mark.parametrize("policy", ["never", "after_exit", "every_time"])
def test_the_same_request_twice_at_once_enrols_once(policy):
    publish(re_entry={"policy": policy})
    ids = [person(n).public_id for n in range(5)]
    workflow_id = Workflow.objects.get().pk
    together = threading.Barrier(2, timeout=20)
    answers: list[enrolling.Answer] = []
    problems: list[Exception] = []

    def work() -> None:
        try:
            together.wait()
            people = [enrolling.Asked(public_id=public_id) for public_id in ids]
            answers.append(enrolling.enrol(people, workflow_id=workflow_id, kind="api"))
        except Exception as error:
            problems.append(error)
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert problems == []
    assert Enrolment.objects.count() == 5 and sum(answer.entered for answer in answers) == 5
    assert EntryRefusal.objects.filter(reason="re_entry").count() == 5
