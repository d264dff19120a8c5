"""Experiments in the admin: what is shown is what the API answers, and who may what."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.db import transaction
from django.test import Client
from django.urls import reverse

from analytics.experiments import outcomes, register
from analytics.models import Experiment
from analytics.pages.experiments import charts
from contacts import clock
from tests import journeys
from tests.contacts.conftest import Api, make_key
from workflows.models import ExperimentAssignment, Workflow

pytestmark = pytest.mark.django_db(transaction=True)

LEAD = ("analytics.view_experiment", "analytics.change_experiment", "workflows.publish_workflow")


@pytest.fixture
def staff() -> Callable[..., Client]:
    def log_in(*permissions: str) -> Client:
        user = User.objects.create_user(f"staff{User.objects.count()}", is_staff=True)
        for name in permissions:
            app, codename = name.split(".")
            user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
        client = Client()
        client.force_login(user)
        return client

    return log_in


@pytest.fixture
def experiment() -> Experiment:
    """Published, and nobody in it."""
    variants = [{"key": "story", "weight": 1}, {"key": "offer", "weight": 1}]
    steps = {
        "split": journeys.step(
            "experiment", {"story": "tell", "offer": "sell"}, experiment="story-or-offer", variants=variants
        ),
        "tell": journeys.step("add_tag", tag="told"),
        "sell": journeys.step("add_tag", tag="sold"),
    }
    journeys.publish(journeys.definition(steps, exit={"goal": [{"event": "subscribed"}]}))
    with transaction.atomic():
        register.make_missing(now=clock.now())
    return Experiment.objects.get()


def live_through(experiment: Experiment, contacts: int = 400) -> None:
    """Assigned ten days ago, one a minute; most have an outcome, the last few are still open. The offer wins."""
    start = clock.now() - timedelta(days=10)
    people = journeys.contacts(contacts)
    version = Workflow.objects.get().live_version_id
    ExperimentAssignment.objects.bulk_create(
        ExperimentAssignment(
            experiment=experiment.slug,
            contact_id=contact_id,
            variant=("story", "offer")[place % 2],
            bucket=1,
            enrolment_id=contact_id,
            version_id=version,
            step="split",
            assigned_at=start + timedelta(minutes=place) + timedelta(days=9 if place >= contacts - 20 else 0),
        )
        for place, contact_id in enumerate(people)
    )
    converted = [each for place, each in enumerate(people[:-20]) if place % 10 == 0 or place % 4 == 1]
    journeys.track(converted, "subscribed", occurred_at=start + timedelta(days=1))
    journeys.track(people[-2:], "subscribed", occurred_at=start + timedelta(days=9, hours=23))
    journeys.track(people[1:30:2], "email_unsubscribed", occurred_at=start + timedelta(days=2))
    while True:
        with transaction.atomic():
            if not outcomes.work(now=clock.now()):
                return


def page(experiment: Experiment, name: str = "change") -> str:
    return reverse(f"admin:analytics_experiment_{name}", args=[experiment.pk])


FORM = {
    "title": "Story or offer", "hypothesis": "An offer sells.", "kind": "event", "event": "subscribed",
    "window_count": "2", "window_unit": "days", "base": "", "method": "sprt", "alpha": "1", "power": "90",
    "effect": "10", "rate": "", "guard_0_event": "email_unsubscribed", "guard_0_name": "", "guard_0_limit": "0.5",
}  # fmt: skip


def test_the_list_names_every_experiment_that_was_published(staff, experiment):
    Experiment.objects.all().delete()
    answer = staff("analytics.view_experiment").get(reverse("admin:analytics_experiment_changelist"))
    assert answer.status_code == 200
    assert "story-or-offer" in answer.content.decode()


def test_the_page_says_what_the_api_says(staff, experiment):
    live_through(experiment)
    client = staff("analytics.view_experiment")
    answer = client.get(page(experiment))
    context = answer.context
    told = Api(make_key("workflows:read")).get("/api/v1/experiments/story-or-offer/results").json()
    assert told["verdict"] == {
        "kind": context["verdict"].kind, "variant": context["verdict"].variant, "reason": context["verdict"].reason
    }  # fmt: skip
    assert told["verdict"]["kind"] == "winner" and told["verdict"]["variant"] == "offer"
    for line, variant in zip(context["lines"], told["variants"], strict=True):
        standing = line.standing
        assert (standing.variant, standing.assigned, standing.settled, standing.converted) == (
            variant["key"], variant["assigned"], variant["settled"], variant["converted"]
        )  # fmt: skip
        assert (standing.still_open, standing.converted_so_far) == (variant["open"], variant["converted_so_far"])
    assert sum(each["open"] for each in told["variants"]) == 20
    assert sum(each["converted_so_far"] for each in told["variants"]) == 2
    assert len(told["history"]) == len(context["results"].history) == 2
    assert told["paths"][0]["points"]
    text = answer.content.decode()
    assert "offer wins" in text and told["verdict"]["reason"].split(":")[0] in text
    held = {(each["name"], each["variant"]): each for each in told["guardrails"]}
    assert held["Unsubscribes", "offer"]["struck"] == 15


def test_measured_rates_keep_their_decimals_and_what_somebody_chose_has_none_too_many():
    assert [charts.measured(share) for share in (0.76, 0.814, 0.0085, 0, -0.02)] == [
        "76.0%", "81.4%", "0.85%", "0.0%", "−2.0%"
    ]  # fmt: skip
    assert [charts.percent(share) for share in (0.8, 0.05, 0.125, 0.002, 1, 0)] == [
        "80%", "5%", "12.5%", "0.20%", "100%", "0%"
    ]  # fmt: skip


def test_a_page_without_outcomes_fixes_nothing_and_one_with_outcomes_does(staff, experiment):
    client = staff(*LEAD)
    assert client.get(page(experiment)).status_code == 200
    experiment.refresh_from_db()
    assert experiment.looked_at is None
    assert client.post(page(experiment, "settings"), FORM).status_code == 302
    experiment.refresh_from_db()
    assert (experiment.method, experiment.window, experiment.alpha) == ("sprt", "P2D", 0.01)
    assert experiment.guardrails == [{"name": "email_unsubscribed", "event": "email_unsubscribed", "limit": 0.005}]
    live_through(experiment)
    client.get(page(experiment))
    experiment.refresh_from_db()
    assert experiment.looked_at is not None
    refused = client.post(page(experiment, "settings"), {**FORM, "alpha": "5", "title": "Renamed"})
    assert refused.status_code == 422 and "outcomes have been looked at" in refused.content.decode()
    experiment.refresh_from_db()
    assert experiment.alpha == 0.01
    assert client.post(page(experiment, "settings"), {**FORM, "title": "Renamed"}).status_code == 302
    experiment.refresh_from_db()
    assert experiment.title == "Renamed"


def test_after_the_first_look_only_the_title_can_be_typed_and_the_page_says_why(staff, experiment):
    client = staff(*LEAD)
    client.post(page(experiment, "settings"), FORM)
    assert 'aria-describedby="why-fixed"' not in client.get(page(experiment, "settings")).content.decode()
    live_through(experiment)
    client.get(page(experiment))
    before = Experiment.objects.values().get()
    answer = client.get(page(experiment, "settings"))
    typed = [name for name, field in answer.context["form"].fields.items() if not field.disabled]
    assert typed == ["title"]
    text = answer.content.decode()
    assert 'disabled aria-describedby="why-fixed"' in text and 'id="why-fixed"' in text
    assert "What this experiment asks is fixed: outcomes have been looked at" in text
    assert client.post(page(experiment, "settings"), {"title": "Renamed"}).status_code == 302  # as a browser sends it
    assert Experiment.objects.values().get() == {**before, "title": "Renamed"}


def test_the_api_fixes_the_question_by_looking_too(experiment):
    live_through(experiment)
    api = Api(make_key("workflows:read", "workflows:write"))
    change = b'{"alpha": 0.01}'
    assert api.call("PATCH", "/api/v1/experiments/story-or-offer", change).status_code == 200
    live_through_again()
    api.get("/api/v1/experiments/story-or-offer/results")
    answer = api.call("PATCH", "/api/v1/experiments/story-or-offer", b'{"alpha": 0.1, "effect": 0.1}')
    assert answer.status_code == 400
    assert [(each["loc"], each["code"]) for each in answer.json()["errors"]] == [
        (["alpha"], "fixed"), (["effect"], "fixed")
    ]  # fmt: skip


def live_through_again() -> None:
    while True:
        with transaction.atomic():
            if not outcomes.work(now=clock.now()):
                return


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"event": ""}, "Say which event"),
        ({"alpha": "80"}, "Expected a number between 0 and 0.5"),
        ({"window_count": "900", "window_unit": "weeks"}, "At most 366 days"),
        ({"guard_0_limit": ""}, "Say how much is allowed"),
        ({"guard_0_limit": "200"}, "Expected a share"),
        ({"guard_1_event": "email_unsubscribed", "guard_1_limit": "1"}, "Is guarded already"),
    ],
)
def test_a_mistake_is_said_at_its_field_and_nothing_is_stored(staff, experiment, wrong, said):
    answer = staff(*LEAD).post(page(experiment, "settings"), {**FORM, **wrong})
    assert answer.status_code == 422
    assert said.lower() in answer.content.decode().lower()
    experiment.refresh_from_db()
    assert experiment.method == "always_valid"


def test_the_form_shows_what_is_stored_and_saving_it_changes_nothing(staff, experiment):
    client = staff(*LEAD)
    before = Experiment.objects.values().get()
    form = client.get(page(experiment, "settings")).context["form"]
    given = {name: "" if form[name].value() is None else form[name].value() for name in form.fields}
    assert client.post(page(experiment, "settings"), given).status_code == 302
    assert Experiment.objects.values().get() == before


def test_who_may_look_sees_no_deed_and_can_do_none(staff, experiment):
    viewer = staff("analytics.view_experiment")
    text = viewer.get(page(experiment)).content.decode()
    assert page(experiment, "settings") not in text and 'id="decide"' not in text and 'id="roll-out"' not in text
    assert viewer.get(page(experiment, "settings")).status_code == 403
    assert viewer.post(page(experiment, "decide"), {"reason": "x"}).status_code == 403
    assert viewer.get(page(experiment, "roll_out"), {"variant": "story"}).status_code == 403
    changer = staff("analytics.change_experiment")
    assert 'id="roll-out"' not in changer.get(page(experiment)).content.decode()
    asked = {"variant": "story", "reason": "x", "after_version": "1"}
    assert changer.post(page(experiment, "roll_out"), asked).status_code == 403
    assert staff().get(page(experiment)).status_code == 403
    assert Workflow.objects.get().live_version.number == 1


def test_a_decision_is_recorded_once_with_who_and_why(staff, experiment):
    client = staff(*LEAD)
    client.post(page(experiment, "decide"), {"variant": "offer", "reason": ""})
    experiment.refresh_from_db()
    assert experiment.state == "running"
    client.post(page(experiment, "decide"), {"variant": "offer", "reason": "It sells."})
    client.post(page(experiment, "decide"), {"variant": "story", "reason": "No, this one."})
    experiment.refresh_from_db()
    assert (experiment.decision, experiment.reason) == ("offer", "It sells.")
    text = client.get(page(experiment)).content.decode()
    assert "Decided: offer won" in text and "It sells." in text and experiment.decided_by in text


def test_the_winner_is_rolled_out_after_what_changes_was_shown(staff, experiment):
    client = staff(*LEAD)
    shown = client.get(page(experiment, "roll_out"), {"variant": "offer"})
    assert shown.status_code == 200 and shown.context["plan"].after_version == 1
    assert "does not say that" in shown.content.decode()
    asked = {"variant": "offer", "reason": "It sells.", "after_version": "1"}
    client.post(page(experiment, "roll_out"), asked)
    experiment.refresh_from_db()
    assert (experiment.state, experiment.decision, experiment.rolled_out_in) == ("decided", "offer", 2)
    assert set(Workflow.objects.get().live_version.definition["steps"]) == {"sell"}
    assert client.get(page(experiment, "roll_out"), {"variant": "king"}).status_code == 404
