"""People are added to a journey by hand: counted, confirmed, watched; publishing asks before it brings people in."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from contacts.models import Contact
from tests import journeys
from tests.journeys import definition, step
from workflows import publishing
from workflows.entry import entry_runs
from workflows.models import Enrolment, EntryRun, Workflow

pytestmark = pytest.mark.django_db(transaction=True)

END = {"tag": step("add_tag", tag="t")}
EVERYBODY = '{"all": []}'
GERMANS = '{"field": "country", "op": "eq", "value": "DE"}'


@pytest.fixture
def boss(admin_client) -> Client:
    return admin_client


@pytest.fixture
def journey() -> Workflow:
    journeys.publish(definition(END, entry={"trigger": {"type": "manual"}}))
    return Workflow.objects.get()


def page(journey: Workflow, name: str = "add_people") -> str:
    return reverse(f"admin:workflows_workflow_{name}", args=[journey.pk])


def names(count: int) -> str:
    """Pasted names of known contacts, each told another way."""
    from contacts import clock, identity, transactions
    from contacts.identifiers import Identifiers

    people = [Identifiers(external_id=f"u{n}", email=f"u{n}@example.com") for n in range(count)]
    transactions.run(lambda now: identity.resolve(people, source="api", now=clock.now()))
    return "\n".join(f"u{n}" if n % 2 else f" u{n}@example.com " for n in range(count))


def test_an_audience_is_counted_before_anybody_enters_and_then_brought_in(boss, journey):
    here = journeys.contacts(3, attributes={"country": "DE"})
    journeys.contact("us@example.com")
    asked = {"way": "condition", "condition": GERMANS}
    shown = boss.post(page(journey), {**asked, "deed": "count"})
    assert shown.status_code == 200 and (shown.context["tried"].entering, shown.context["tried"].total) == (3, 4)
    text = shown.content.decode()
    assert "Bring in 3" in text and "country is “DE”" in text and "c0@example.com" in text
    assert not EntryRun.objects.exists()
    after = boss.post(page(journey), {**asked, "deed": "add", "expected": "3"}, follow=True).content.decode()
    assert "They are being brought in" in after and "By hand" in after and "of 3 counted" in after
    run = EntryRun.objects.get()
    assert (run.kind, run.expected, run.started_by) == ("manual", 3, "admin")
    while entry_runs.enter_slice():
        pass
    assert sorted(Enrolment.objects.values_list("contact_id", flat=True)) == here
    watched = boss.get(page(journey, "runs")).json()["runs"]
    assert [(row["state"], row["share"], row["entered"]) for row in watched] == [("done", 1.0, 3)]


def test_pasted_names_are_tried_first_and_enter_at_once(boss, journey):
    pasted = names(3) + "\nnobody@example.com, u0@example.com"
    shown = boss.post(page(journey), {"way": "names", "names": pasted, "condition": EVERYBODY, "deed": "count"})
    text = shown.content.decode()
    assert shown.context["tried"].entering == 3 and not Enrolment.objects.exists()
    assert "1 would not enter: no contact is called so" in text and "1 names somebody who is named already" in text
    after = boss.post(
        page(journey), {"way": "names", "names": pasted, "condition": EVERYBODY, "deed": "add"}, follow=True
    )
    assert "Entered: 3. Not let in: 1: no contact is called so (1)." in after.content.decode()
    assert Enrolment.objects.count() == 3 and Contact.objects.count() == 3
    assert set(Enrolment.objects.values_list("trigger__type", flat=True)) == {"manual"}


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"way": "segment"}, "Choose a segment."),
        ({"way": "segment", "segment": "gone"}, "Choose a segment."),
        ({"way": "names", "names": " \n ,"}, "Paste at least one name."),
        ({"way": "names", "names": "a,\x00"}, "Null characters"),
        ({"way": "names", "names": "\n".join(f"u{n}" for n in range(1001))}, "At most 1,000 names"),
        ({"way": "condition", "condition": "{"}, "not JSON"),
        ({"way": "condition", "condition": '{"in_segment": "gone"}'}, "there is no such segment"),
        ({"way": "elsewhere"}, "Select a valid choice"),
        ({}, "This field is required"),
    ],
)
def test_what_cannot_be_meant_is_said_at_its_field(boss, journey, asked, said):
    shown = boss.post(page(journey), {"condition": EVERYBODY, "deed": "add", **asked})
    assert shown.status_code == 422 and said in shown.content.decode()
    assert not EntryRun.objects.exists() and not Enrolment.objects.exists()


def test_a_run_can_be_stopped(boss, journey):
    journeys.contacts(4)
    boss.post(page(journey), {"way": "condition", "condition": EVERYBODY, "deed": "add"})
    entry_runs.enter_slice(slice_=1)
    run = EntryRun.objects.get()
    stop = reverse("admin:workflows_workflow_stop_run", args=[journey.pk, run.public_id])
    assert "Stopped." in boss.post(stop, follow=True).content.decode()
    assert "over already" in boss.post(stop, follow=True).content.decode()
    assert not entry_runs.enter_slice() and Enrolment.objects.count() == 1
    other = reverse("admin:workflows_workflow_stop_run", args=[journey.pk, "00000000-0000-4000-8000-000000000000"])
    assert boss.post(other).status_code == 404


def test_only_who_may_publish_adds_people(staff, journey):
    looking = staff("workflows.view_workflow")
    assert "Count them" not in looking.get(page(journey)).content.decode()
    assert looking.post(page(journey), {"way": "condition", "condition": EVERYBODY, "deed": "add"}).status_code == 403
    assert looking.get(page(journey, "publish")).status_code == 403
    assert staff().get(page(journey)).status_code == 403
    assert staff().get(page(journey, "runs")).status_code == 403


def test_only_a_live_journey_takes_people_in(boss, journey, now):
    publishing.pause(slug="journey", now=now)
    assert "Only a live journey takes people in." in boss.get(page(journey)).content.decode()
    asked = {"way": "condition", "condition": EVERYBODY, "deed": "add"}
    assert "Nobody was added" in boss.post(page(journey), asked).content.decode()


# -- publishing ------------------------------------------------------------------------------------------------------


def save_and_publish(boss: Client, journey: Workflow, document: dict):
    from workflows.spelling import spelled

    address = reverse("admin:workflows_workflow_text", args=[journey.pk])
    return boss.post(
        address,
        {"draft": spelled(document), "as": "json", "revision": journey.draft_revision, "_publish": ""},
        follow=True,
    )


def bringing_in() -> dict:
    audience = {"field": "country", "op": "eq", "value": "DE"}
    return definition(END, entry={"trigger": {"type": "manual"}, "audience": audience, "enrol_existing": True})


def test_publishing_asks_first_where_it_brings_people_in(boss, journey):
    journeys.contacts(2, attributes={"country": "DE"})
    asked = save_and_publish(boss, journey, bringing_in()).content.decode()
    assert "bring in who is there already?" in asked and "Publish, and bring in 2" in asked
    assert not EntryRun.objects.exists()
    journey.refresh_from_db()
    told = boss.post(page(journey, "publish"), {"revision": journey.draft_revision}, follow=True).content.decode()
    assert "Version 2 is published." in told
    journeys.run()
    assert Enrolment.objects.count() == 2 and EntryRun.objects.get().kind == "existing"


def test_a_draft_that_was_changed_after_the_question_is_not_published(boss, journey):
    save_and_publish(boss, journey, bringing_in())
    told = boss.post(page(journey, "publish"), {"revision": "1"}, follow=True).content.decode()
    assert "Not published: somebody saved this draft" in told
    journey.refresh_from_db()
    assert journey.live_version.number == 1


def test_an_unsound_draft_is_refused_without_a_question(boss, journey):
    document = bringing_in()
    document["entry"]["audience"] = {"field": "country", "op": "shrug"}
    assert "Saved, but not published" in save_and_publish(boss, journey, document).content.decode()


def test_publishing_that_brings_in_nobody_does_not_ask(boss, journey):
    assert "Version 2 is published." in save_and_publish(boss, journey, definition(END)).content.decode()
