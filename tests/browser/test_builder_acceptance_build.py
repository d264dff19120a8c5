"""A journey is built in Chromium: the acceptance checks 1 to 10, each with a clean console."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from contacts import clock
from tests.browser.visit import PASSWORD, USERNAME, becomes, expect, visiting
from tests.journeys import definition, step
from workflows import publishing
from workflows.models import Workflow
from workflows.pages.new_journey import empty

pytestmark = pytest.mark.django_db(transaction=True)

CHECK = {**step("branch", {"yes": "one", "else": "two"}, arms=[{"key": "yes", "if": {"has_tag": "vip"}}])}
DIAMOND = definition(
    {
        "check": {**CHECK, "name": "A customer?"},
        "one": {**step("add_tag", {"next": "meet"}, tag="t"), "name": "First"},
        "two": {**step("add_tag", {"next": "meet"}, tag="t"), "name": "Second"},
        "meet": {**step("add_tag", {"next": "last"}, tag="t"), "name": "Meeting"},
        "last": {**step("add_tag", tag="t"), "name": "Last"},
    }
)
# Of every line: the step that it leaves, and the step at the middle of whose upper edge it ends.
ENTERS = """() => {
    const cards = [...document.querySelectorAll('.jb-card')];
    const boxes = cards.map((card) => [card.dataset.step, card.getBoundingClientRect()]);
    const pluses = [...document.querySelectorAll('.jb-plus[data-port]')];
    return Object.fromEntries(pluses.map(({ dataset: { step, port } }) => {
        const line = document.getElementById(`line-${step}-${port}`);
        const { x, y } = line.getPointAtLength(line.getTotalLength()).matrixTransform(line.getScreenCTM());
        const met = boxes.find(([, box]) => Math.abs(x - box.left - box.width / 2) < 2 && Math.abs(y - box.top) < 14);
        return [`${step}.${port}`, met?.[0] ?? null];
    }));
}"""


@pytest.fixture
def maya(transactional_db) -> User:
    return User.objects.create_superuser(USERNAME, password=PASSWORD, first_name="Maya")


def drafted(document: dict[str, Any] = DIAMOND) -> Workflow:
    return publishing.save_draft(definition=document, now=clock.now(), by=USERNAME)


def opened(visitor: Any, journey: Workflow) -> Any:
    visitor.go(reverse("admin:workflows_workflow_change", args=[journey.pk]))
    expect(visitor.page.locator("#builder.jb-drawn")).to_be_visible()
    return visitor.page


def add(page: Any, plus: str, kind: str) -> None:
    """A step of this kind from that "+", by mouse; its panel is closed again."""
    before = page.locator(".jb-card").count()
    page.locator(plus).click()
    page.locator(f"#builder-menu [data-kind={kind}]").click()
    expect(page.locator(".jb-card")).to_have_count(before + 1)
    expect(page.locator("#builder-panel form")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#builder-panel")).to_be_hidden()


def draft() -> dict[str, Any]:
    return Workflow.objects.get().draft


def ways() -> dict[str, Any]:
    return {key: each["next"] for key, each in draft()["steps"].items()}


def test_an_empty_list_leads_over_the_gallery_to_a_trigger_and_one_plus(browser, live_server, maya):
    """1: the empty state, "New journey" opens the gallery, "Start from scratch" a builder with one card and one "+"."""
    with visiting(browser, live_server.url) as visitor:
        page = visitor.page
        visitor.go(reverse("admin:workflows_workflow_changelist"))
        expect(page.get_by_role("heading", name="No journeys yet")).to_be_visible()
        page.get_by_role("link", name="New journey").first.click()
        expect(page.get_by_role("heading", name="From a sample")).to_be_visible()
        assert page.locator(".nj-samples > li").count() >= 8
        page.get_by_role("button", name="Start from scratch").click()
        expect(page.locator("#builder.jb-drawn")).to_be_visible()
        assert page.locator(".jb-card").evaluate_all("(all) => all.map((card) => card.dataset.step)") == [".trigger"]
        expect(page.locator(".jb-plus")).to_have_count(1)
        assert draft()["steps"] == {} and draft()["start"] is None


def test_a_trigger_is_chosen_and_named_and_a_problem_less_is_left(browser, live_server, maya):
    """2: trigger "Form submitted", a form is picked: the card names it, the number of problems falls by one."""
    journey = drafted(empty(name="Trial", slug="trial"))
    with visiting(browser, live_server.url) as visitor:
        page = opened(visitor, journey)
        told = page.locator("#builder-problems summary")
        expect(told).to_contain_text("2 problems")
        page.locator('[id="card-.trigger"]').click()
        page.get_by_label("Trigger", exact=True).select_option(label="Form submitted")
        page.get_by_label("Form", exact=True).fill("start-trial")
        page.get_by_role("button", name="Save trigger").click()
        expect(page.locator('[id="card-.trigger"]')).to_contain_text("start-trial")
        expect(told).to_contain_text("1 problem")
        expect(told).not_to_contain_text("problems")
        assert draft()["entry"]["trigger"] == {"type": "form_submitted", "form": "start-trial"}


def test_three_steps_from_three_pluses_are_three_revisions(browser, live_server, maya):
    """3: "Send email", "If / else" and "Wait": the draft has three steps, each a revision more."""
    journey = drafted(empty(name="Trial", slug="trial"))
    with visiting(browser, live_server.url) as visitor:
        page = opened(visitor, journey)
        begun = journey.draft_revision
        places = (
            ('[id="plus-.trigger-start"]', "send_email"),
            ("#plus-send-email-next", "branch"),
            ("#plus-branch-yes", "wait"),
        )
        for number, (plus, kind) in enumerate(places, start=1):
            add(page, plus, kind)
            assert Workflow.objects.get().draft_revision == begun + number
        assert sorted(each["type"] for each in draft()["steps"].values()) == ["branch", "send_email", "wait"]
        assert ways() == {
            "send-email": {"next": "branch"},
            "branch": {"yes": "wait", "else": None},
            "wait": {"next": None},
        }


def test_a_branch_between_two_steps_leads_both_paths_to_what_followed(browser, live_server, maya):
    """4: both paths of an inserted "If / else" meet at the old next step, which two lines enter; nothing is lost."""
    with visiting(browser, live_server.url) as visitor:
        page = opened(visitor, drafted())
        before = draft()["steps"]
        add(page, "#plus-meet-next", "branch")
        assert ways()["meet"] == {"next": "branch"} and ways()["branch"] == {"yes": "last", "else": "last"}
        entering = page.evaluate(ENTERS)
        assert sorted(line for line, met in entering.items() if met == "last") == ["branch.else", "branch.yes"]
        assert entering["meet.next"] == "branch"
        after = draft()["steps"]
        assert {key: {**after[key], "next": before[key]["next"]} for key in before} == before


def test_a_step_on_one_path_leaves_the_other_as_it_was(browser, live_server, maya):
    """5: an SMS on the path "No" alone: the path "Yes" is unchanged in the definition."""
    with visiting(browser, live_server.url) as visitor:
        page = opened(visitor, drafted())
        before = draft()["steps"]
        expect(page.locator("#caption-check-else")).to_have_text("No")
        add(page, "#plus-check-else", "send_sms")
        after = draft()["steps"]
        assert ways()["check"] == {"yes": "one", "else": "send-sms"} and ways()["send-sms"] == {"next": "two"}
        assert [after[key] for key in ("one", "two", "meet", "last")] == [
            before[key] for key in ("one", "two", "meet", "last")
        ]
        assert page.evaluate(ENTERS)["check.yes"] == "one"


def test_the_plus_where_paths_meet_adds_one_step_for_both(browser, live_server, maya):
    """6: "+" on the trunk above the join adds one step that both paths reach."""
    with visiting(browser, live_server.url) as visitor:
        page = opened(visitor, drafted())
        add(page, "#trunk-meet", "wait")
        assert len(draft()["steps"]) == len(DIAMOND["steps"]) + 1
        assert {key: ways()[key] for key in ("one", "two", "wait")} == {
            "one": {"next": "wait"},
            "two": {"next": "wait"},
            "wait": {"next": "meet"},
        }
        entering = page.evaluate(ENTERS)
        assert (entering["one.next"], entering["two.next"], entering["wait.next"]) == ("wait", "wait", "meet")


def test_the_end_of_a_path_joins_a_later_step_and_never_an_earlier_one(browser, live_server, maya):
    """7: "join existing step" draws the line; an earlier step is not offered, and by POST refused with a 422."""
    loose = {**DIAMOND["steps"], "one": {**DIAMOND["steps"]["one"], "next": {"next": None}}}
    journey = drafted({**DIAMOND, "steps": loose})
    with visiting(browser, live_server.url) as visitor:
        page = opened(visitor, journey)
        assert page.evaluate(ENTERS)["one.next"] is None
        page.locator("#plus-one-next").click()
        offered = page.get_by_role("region", name="Join a step that is there").get_by_role("button")
        expect(offered).to_have_count(3)
        names = offered.evaluate_all("(all) => all.map((each) => each.dataset.target)")
        assert sorted(names) == ["last", "meet", "two"], "neither itself nor the branch that leads here"
        offered.filter(has_text="Meeting").click()
        expect(page.locator("#builder-said")).to_have_text("Joined “Meeting”")
        assert page.evaluate(ENTERS)["one.next"] == "meet"
        assert ways()["one"] == {"next": "meet"}
        stood = Workflow.objects.get()
        answer = page.request.post(
            live_server.url + reverse("admin:workflows_workflow_operation", args=[journey.pk]),
            form={
                "operation": "join",
                "step": "last",
                "port": "next",
                "target": "check",
                "revision": str(stood.draft_revision),
            },
            headers={"X-CSRFToken": page.locator("#builder [name=csrfmiddlewaretoken]").input_value()},
        )
        assert (answer.status, answer.json()) == (422, {"message": "A journey cannot go back to an earlier step."})
        assert Workflow.objects.get().draft_revision == stood.draft_revision and draft() == stood.draft


def test_a_path_that_ends_here_takes_what_nothing_leads_to_and_undo_brings_it_back(browser, live_server, maya):
    """8: the end pill appears, unreachable steps go with their number in the message; undo restores byte for byte."""
    with visiting(browser, live_server.url) as visitor:
        page = opened(visitor, drafted())
        before = json.dumps(draft())
        expect(page.locator(".jb-end")).to_have_count(1)
        page.locator("#plus-meet-next").click()
        expect(page.locator("[data-foot] small")).to_have_text("1 step goes with it: Last")
        page.get_by_role("button", name="End the path here").click()
        expect(page.locator("#builder-said")).to_have_text("The path ends here; 1 step went with it")
        expect(page.locator("#end-meet-next")).to_have_text("End")
        expect(page.locator("#card-last")).to_have_count(0)
        assert ways()["meet"] == {"next": None} and "last" not in ways()
        page.get_by_role("button", name="Undo").click()
        expect(page.locator("#card-last")).to_be_visible()
        assert json.dumps(draft()) == before


def test_a_wait_until_nine_shows_only_what_belongs_to_it(browser, live_server, maya):
    """9: "09:00, contact's local time": the card says it, the definition holds it, other modes' fields are hidden."""
    journey = drafted(definition({"pause": step("wait", mode="duration", **{"for": "P1D"})}))
    seen = """(form) => [...form.querySelectorAll('[data-field]')]
        .filter((each) => each.checkVisibility()).map((each) => each.dataset.field)"""
    with visiting(browser, live_server.url) as visitor:
        page = opened(visitor, journey)
        page.locator("#card-pause").click()
        form = page.locator('#builder-panel form[data-step="pause"]')
        expect(form).to_be_visible()
        assert form.evaluate(seen) == ["name", "config.mode", "config.for", "config.jitter"]
        form.get_by_label("How long").select_option("local_time")
        expect(form.get_by_label("Time of day")).to_be_visible()
        assert form.evaluate(seen) == ["name", "config.mode", "config.at", "config.weekday", "config.jitter"]
        form.get_by_label("Time of day").fill("09:00")
        form.get_by_role("button", name="Save step").click()
        card = page.locator("#card-pause .jb-sentence")
        expect(card).to_contain_text("until it is 09:00 in the contact’s time zone")
        assert draft()["steps"]["pause"]["config"] == {"mode": "local_time", "at": "09:00"}


def test_the_arms_of_a_split_stand_in_order_and_a_wrong_weight_is_told_at_its_field(browser, live_server, maya):
    """10: A, B and Holdout from left to right; 45/45/20 is shown as shares of 110, a weight below zero at field b."""
    weights = [{"key": "a", "weight": 45}, {"key": "b", "weight": 45}, {"key": "holdout", "weight": 10}]
    steps = {
        "split": step("experiment", {"a": "x", "b": "y", "holdout": None}, experiment="greeting", variants=weights),
        "x": step("add_tag", tag="a"),
        "y": step("add_tag", tag="b"),
    }
    with visiting(browser, live_server.url) as visitor:
        page = opened(visitor, drafted(definition(steps)))
        captions = page.locator(".jb-caption")
        expect(captions).to_have_text(["A 45 %", "B 45 %", "Holdout 10 %"])
        across = [page.locator(f"#caption-split-{key} > span").bounding_box()["x"] for key in ("a", "b", "holdout")]
        assert across == sorted(across) and len(set(across)) == 3
        page.locator("#card-split").click()
        fields = page.get_by_label("Weight", exact=True).locator("visible=true")
        fields.nth(2).fill("20")
        expect(page.locator(".jb-variant [data-share]").locator("visible=true").nth(2)).to_contain_text("18")
        page.get_by_role("button", name="Save step").click()
        expect(page.locator("#caption-split-holdout")).to_have_text("Holdout 18.2 %")
        expect(fields.nth(2)).to_have_attribute("value", "20")  # the form as it was saved is there, too
        fields.nth(1).fill("-45")
        page.get_by_role("button", name="Save step").click()
        wrong = page.locator('.jb-variant[data-field="config.variants.1"]')
        expect(wrong.get_by_label("Weight", exact=True)).to_have_attribute("aria-invalid", "true")
        describing = wrong.get_by_label("Weight", exact=True).get_attribute("aria-describedby")
        expect(page.locator(f"[id='{describing}']")).to_be_visible()
        becomes(
            lambda: [each["weight"] for each in draft()["steps"]["split"]["config"]["variants"]], [45, -45, 20], page
        )
