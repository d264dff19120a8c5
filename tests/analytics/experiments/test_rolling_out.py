"""The winner for everybody: a version without the experiment, published through the same door as any other."""

from datetime import UTC, datetime

import pytest
from django.db import transaction

from analytics.experiments import asking, register, rolling_out
from analytics.experiments.asking import BadExperiment, IsOver
from analytics.experiments.rolling_out import CannotRollOut
from analytics.models import Experiment
from tests import journeys
from workflows import publishing
from workflows.models import Enrolment, Workflow, WorkflowVersion

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
VARIANTS = [{"key": "story", "weight": 1}, {"key": "offer", "weight": 1}, {"key": "holdout", "weight": 1}]


def document(**changes):
    """wait -> split -> (story -> tell | offer -> wait again -> sell | holdout -> the end); both ways end at thanks."""
    steps = {
        "first": journeys.step("add_tag", {"next": "split"}, tag="entered"),
        "split": journeys.step(
            "experiment",
            {"story": "tell", "offer": "pause", "holdout": None},
            experiment="story-or-offer",
            variants=VARIANTS,
        ),
        "tell": journeys.step("add_tag", {"next": "thanks"}, tag="told"),
        "pause": journeys.step("wait", {"next": "sell"}, mode="duration", **{"for": "P1D"}),
        "sell": journeys.step("add_tag", {"next": "thanks"}, tag="sold"),
        "thanks": journeys.step("add_tag", tag="thanked"),
    }
    return journeys.definition({**steps, **changes.pop("steps", {})}, **changes)


@pytest.fixture
def experiment() -> Experiment:
    journeys.publish(document())
    with transaction.atomic():
        register.make_missing(now=NOW)
    return Experiment.objects.get()


def roll_out(experiment: Experiment, variant: str, *, after: int = 1, reason: str = "It won.") -> int:
    with transaction.atomic():
        return rolling_out.roll_out(experiment, variant=variant, after_version=after, reason=reason, by="maya", now=NOW)


def test_the_winners_way_takes_the_place_of_the_step_and_the_losers_ways_are_gone(experiment):
    assert roll_out(experiment, "story") == 2
    live = Workflow.objects.get().live_version
    assert set(live.definition["steps"]) == {"first", "tell", "thanks"}
    assert live.definition["steps"]["first"]["next"] == {"next": "tell"}
    assert live.published_by == "maya" and "story" in live.note and "It won." in live.note
    assert WorkflowVersion.objects.get(number=1).definition == document()
    experiment.refresh_from_db()
    assert (experiment.state, experiment.decision, experiment.reason) == ("decided", "story", "It won.")
    assert (experiment.decided_by, experiment.decided_at, experiment.rolled_out_in) == ("maya", NOW, 2)


def test_a_way_that_ends_at_once_ends_the_step_before(experiment):
    roll_out(experiment, "holdout")
    live = Workflow.objects.get().live_version.definition
    assert live["steps"] == {"first": {**document()["steps"]["first"], "next": {"next": None}}}


def test_who_is_under_way_stays_on_their_version_and_who_comes_new_gets_the_winner(experiment):
    early = journeys.contacts(12)
    journeys.track(early, "signed_up")
    journeys.run()
    waiting = set(Enrolment.objects.filter(state="waiting").values_list("contact_id", flat=True))
    assert waiting
    roll_out(experiment, "story")
    late = journeys.contact("late@example.com").pk
    journeys.track(late, "signed_up")
    journeys.run()
    assert set(Enrolment.objects.filter(state="waiting", version__number=1).values_list("contact_id", flat=True)) == (
        waiting
    )
    steps = [step for step, _, _ in journeys.path(journeys.enrolment(late).pk)]
    assert "tell" in steps and "split" not in steps


def test_what_would_change_is_said_before_and_changes_nothing(experiment):
    found = rolling_out.plan(experiment, "offer")
    assert found.is_possible and found.after_version == 1
    told = {(change.step, change.kind) for change in found.changes}
    assert {("split", "removed"), ("tell", "removed"), ("first", "rewired")} <= told
    assert WorkflowVersion.objects.count() == 1


def test_a_draft_with_other_changes_does_not_go_out_with_it(experiment):
    changed = document(name="Half a thought")
    publishing.save_draft(definition=changed, now=NOW)
    with pytest.raises(CannotRollOut, match="not published"):
        roll_out(experiment, "story")
    workflow = Workflow.objects.get()
    assert workflow.draft == changed and workflow.live_version.number == 1
    experiment.refresh_from_db()
    assert experiment.state == "running"


def test_what_was_published_meanwhile_is_looked_at_first(experiment):
    journeys.publish(document(name="Another name"))
    with pytest.raises(CannotRollOut, match="Version 2 was published meanwhile"):
        roll_out(experiment, "story", after=1)
    assert roll_out(experiment, "story", after=2) == 3


def test_a_journey_of_which_nothing_would_be_left_is_not_published(experiment):
    alone = document(start="split")
    del alone["steps"]["first"]
    journeys.publish(alone)
    with pytest.raises(CannotRollOut, match="nothing would be left"):
        roll_out(experiment, "holdout", after=2)
    assert roll_out(experiment, "offer", after=2) == 3
    assert Workflow.objects.get().live_version.definition["start"] == "pause"


def test_without_a_reason_nothing_is_published(experiment):
    with pytest.raises(BadExperiment):
        roll_out(experiment, "story", reason=" ")
    assert Workflow.objects.get().live_version.number == 1


def test_a_decision_that_was_recorded_before_is_rolled_out_and_keeps_its_reason(experiment):
    with transaction.atomic():
        asking.decide(experiment, variant="story", reason="Clear.", now=NOW, by="ana")
    with pytest.raises(IsOver):
        roll_out(experiment, "offer")
    assert Workflow.objects.get().live_version.number == 1
    assert roll_out(experiment, "story") == 2
    experiment.refresh_from_db()
    assert (experiment.reason, experiment.decided_by, experiment.rolled_out_in) == ("Clear.", "ana", 2)


def test_an_archived_journey_has_nothing_to_roll_out(experiment):
    publishing.archive(slug="journey", now=NOW)
    with pytest.raises(CannotRollOut, match="live any more"):
        rolling_out.plan(experiment, "story")
