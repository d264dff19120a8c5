"""Failed steps and braked journeys in the admin: seen, decided, by whom it may be."""

from __future__ import annotations

import pytest
from django.urls import reverse

from contacts import clock
from tests import journeys
from tests.journeys import definition, step
from workflows.models import DeadLetter, Enrolment, EnrolmentBrake, Workflow
from workflows.steps.add_tag import AddTag

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "admin:workflows_deadletter_changelist"
TAGS = {"one": {**step("add_tag", {"next": "two"}, tag="first"), "name": "Mark them"}, "two": step("add_tag", tag="b")}


@pytest.fixture
def failed(monkeypatch) -> list[int]:
    journeys.publish(definition(TAGS, slug="broken"))
    ids = journeys.contacts(3)
    journeys.track(ids, "signed_up")
    with monkeypatch.context() as patch:
        patch.setattr(AddTag, "run", lambda self, cohort, prepared, now: 1 / 0)
        for _ in range(3):
            journeys.run()
            journeys.try_again_now()
    return ids


def select(client, ids: list[int], deed: str, **more: str):
    given = {"action": f"{deed}_selected", "_selected_action": [str(pk) for pk in ids], **more}
    return client.post(reverse(LIST), given, follow=True).content.decode()


def letters() -> list[int]:
    """Of those who failed here; others failed in the town before."""
    mine = DeadLetter.objects.filter(error="ZeroDivisionError")
    return list(mine.order_by("pk").values_list("pk", flat=True))


def test_the_list_shows_who_failed_where_and_why(maya, failed):
    page = maya.get(reverse(LIST)).content.decode()
    assert page.count("ZeroDivisionError") == 3
    assert "c0@example.com" in page and "Mark them" in page and "Data or program, 2 tries" in page
    assert "To decide" in page


def test_the_page_of_one_shows_the_trace_and_offers_the_three_deeds(maya, failed):
    page = maya.get(reverse("admin:workflows_deadletter_change", args=[letters()[0]])).content.decode()
    assert "builtins.ZeroDivisionError" in page and "test_failed_steps.py" in page
    assert all(words in page for words in ("Try again", "Skip the step", "Let go"))


@pytest.mark.parametrize(
    ("deed", "state", "said"),
    [("retry", "active", "Tried again: 2."), ("skip", "active", "Skipped: 2."), ("exit", "exited", "Let go: 2.")],
)
def test_the_selected_are_decided_together(maya, failed, deed, state, said):
    assert said in select(maya, letters()[:2], deed)
    broken = Enrolment.objects.filter(workflow__slug="broken")
    assert (broken.filter(state=state).count(), broken.filter(state="failed").count()) == (2, 1)
    assert set(DeadLetter.objects.exclude(state="open").values_list("resolved_by", flat=True)) == {"maya"}


def test_more_than_a_request_can_take_are_taken_in_turns(maya, failed, monkeypatch):
    monkeypatch.setattr("workflows.pages.failures.IN_ONE_REQUEST", 2)
    page = select(maya, letters(), "retry")
    assert "Tried again: 2." in page and "the oldest 2" in page
    assert list(DeadLetter.objects.filter(state="open", pk__in=letters()).values_list("pk", flat=True)) == letters()[2:]


def test_one_is_decided_on_its_page_and_only_once(maya, failed):
    url = reverse("admin:workflows_deadletter_decide", args=[letters()[0], "skip"])
    assert "Skipped: 1." in maya.post(url, follow=True).content.decode()
    again = maya.post(url, follow=True).content.decode()
    assert "somebody has decided before" in again and "Try again" not in again


def test_what_is_decided_leaves_the_list_and_is_found_by_its_state(maya, failed):
    select(maya, list(DeadLetter.objects.values_list("pk", flat=True)), "exit")
    assert "Nobody to decide about" in maya.get(reverse(LIST)).content.decode()
    assert maya.get(reverse(LIST), {"state": "exited"}).content.decode().count("ZeroDivisionError") == 3


def test_the_list_can_be_narrowed_by_step_kind_and_journey(maya, failed):
    workflow = Workflow.objects.get(slug="broken")
    for query, count in (
        ({"step": "one"}, 3), ({"step": "two"}, 0), ({"category": "transient"}, 0), ({"workflow": workflow.pk}, 3),
    ):  # fmt: skip
        assert maya.get(reverse(LIST), query).content.decode().count("ZeroDivisionError") == count


def test_whoever_may_only_look_decides_nothing(staff, failed):
    viewer = staff("workflows.view_deadletter", "workflows.view_workflow")
    page = viewer.get(reverse("admin:workflows_deadletter_change", args=[letters()[0]])).content.decode()
    assert "Try again" not in page
    assert viewer.post(reverse("admin:workflows_deadletter_decide", args=[letters()[0], "exit"])).status_code == 403
    select(viewer, letters(), "exit")
    assert DeadLetter.objects.filter(state="open", pk__in=letters()).count() == 3


def test_a_deed_is_never_done_by_following_a_link(maya, failed):
    assert maya.get(reverse("admin:workflows_deadletter_decide", args=[letters()[0], "exit"])).status_code == 403


@pytest.fixture
def braked() -> Workflow:
    journeys.publish(definition(TAGS, slug="flooded"))
    workflow = Workflow.objects.get(slug="flooded")
    EnrolmentBrake.objects.create(workflow=workflow, braked_at=clock.now(), rate=2400, usual=12)
    journeys.track(journeys.contacts(2), "signed_up")
    journeys.run()
    return workflow


def test_a_braked_journey_says_so_and_is_released(maya, braked):
    page_of = reverse("admin:workflows_workflow_change", args=[braked.pk])
    page = maya.get(page_of).content.decode()
    assert "The brake holds" in page and "2,400" in page and "2 contacts wait" in page
    answer = maya.post(reverse("admin:workflows_workflow_deed", args=[braked.pk, "release"]), follow=True)
    assert "The brake is off" in answer.content.decode() and "The brake holds" not in answer.content.decode()
    journeys.run()
    assert Enrolment.objects.filter(workflow=braked, state="completed").count() == 2
    assert EnrolmentBrake.objects.get().released_by == "maya"


def test_the_start_page_says_which_journey_is_braked(maya, braked):
    assert "The brake holds" in maya.get(reverse("admin:index")).content.decode()


def test_whoever_may_not_publish_may_not_release(staff, braked):
    viewer = staff("workflows.view_workflow")
    assert viewer.post(reverse("admin:workflows_workflow_deed", args=[braked.pk, "release"])).status_code == 403
