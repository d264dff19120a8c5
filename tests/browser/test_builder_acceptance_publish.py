"""Validating and publishing a journey in Chromium: the acceptance checks 16 to 21, each with a clean console."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.test import Client
from django.urls import reverse

from config import roles
from contacts import access, clock
from delivery.models import Template
from tests import journeys
from tests.browser.visit import PASSWORD, USERNAME, becomes, expect, visiting
from tests.journeys import definition, step
from workflows import publishing
from workflows.models import Workflow, WorkflowVersion
from workflows.pages.builder.operations import OPERATIONS

pytestmark = pytest.mark.django_db(transaction=True)

ARMS = [{"key": "yes", "if": {"field": "email", "op": "exists"}}]
SOUND = definition(
    {
        "hello": {**step("send_email", {"next": "pause"}, template="hello"), "name": "Hello"},
        "pause": {**step("wait", {"next": "check"}, mode="duration", **{"for": "P1D"}), "name": "A day later"},
        "check": {**step("branch", {"yes": "tour", "else": "tag"}, arms=ARMS), "name": "With an address?"},
        "tour": {**step("send_email", {"next": "tag"}, template="tour"), "name": "Tour"},
        "tag": {**step("add_tag", {"next": "last"}, tag="seen"), "name": "Seen"},
        "last": {**step("wait", mode="local_time", at="09:00"), "name": "Morning"},
    }
)
# One problem in each kind of control: what the step says instead, and the field that its panel must lead to.
WRONG: dict[str, tuple[str, dict[str, Any]]] = {
    "hello": ("config.template", {"template": "not-there"}),
    "pause": ("config.for", {"mode": "duration"}),
    "check": ("config.arms", {"arms": [{"key": "yes", "if": {"field": "email", "op": "bigger", "value": 1}}]}),
    "tag": ("config.tag", {"tag": ""}),
    "last": ("config.at", {"mode": "local_time", "at": "25:99"}),
}


@pytest.fixture
def maya(transactional_db) -> User:
    journeys.template("hello")
    journeys.template("tour")
    return User.objects.create_superuser(USERNAME, password=PASSWORD, first_name="Maya")


def drafted(document: dict[str, Any] = SOUND, **wrong: dict[str, Any]) -> Workflow:
    """The sound journey as a draft; of the steps in `wrong` with these settings."""
    steps = {key: {**each, "config": wrong[key]} if key in wrong else each for key, each in document["steps"].items()}
    return publishing.save_draft(definition={**document, "steps": steps}, now=clock.now(), by=USERNAME)


def builder_of(workflow: Workflow) -> str:
    return reverse("admin:workflows_workflow_change", args=[workflow.pk])


def problems(page: Any) -> Any:
    return page.locator("#builder-problems li :is(button, a)")


def test_publishing_with_two_problems_leads_to_their_list_and_leaves_a_draft(browser, live_server, maya):
    """16. Also that the message says why, and that the number of versions stays nought."""
    journey = drafted(hello={"template": "not-there"}, tag={"tag": ""})
    with visiting(browser, live_server.url) as visitor:
        page = visitor.page
        visitor.go(builder_of(journey))
        expect(page.locator("#builder-problems summary")).to_contain_text("2 problems")
        page.get_by_role("button", name="Publish", exact=True).click()
        expect(problems(page)).to_have_count(2)
        expect(problems(page).first).to_be_focused()
        expect(page.locator("#builder-barred")).to_have_text(
            "Not published: solve these 2 problems first. The draft is kept."
        )
        expect(page.locator("#builder-publishing")).to_be_hidden()
        expect(page.locator("#builder-bar .cl-pill")).to_have_text("Draft")
    journey.refresh_from_db()
    assert (journey.status, journey.live_version, WorkflowVersion.objects.count()) == ("draft", None, 0)


MIDDLE = """(card) => {
    const view = document.getElementById("builder-view"), seen = view.getBoundingClientRect();
    const box = card.getBoundingClientRect();
    const off = [box.x + box.width / 2 - seen.x - seen.width / 2, box.y + box.height / 2 - seen.y - seen.height / 2];
    const room = [view.scrollWidth - view.clientWidth, view.scrollHeight - view.clientHeight];
    const edge = [view.scrollLeft, view.scrollTop].map((at, n) => at < 2 || at > room[n] - 2);
    return off.every((far, n) => Math.abs(far) < 3 || edge[n])
        && box.top >= seen.top - 1 && box.bottom <= seen.bottom + 1;
}"""
TOLD = (
    "(field) => field.getAttribute('aria-describedby').split(' ').map((id) => document.getElementById(id).textContent)"
)


@pytest.mark.parametrize("look", [{"height": 620}, {"width": 390, "height": 844, "dark": True}])
def test_each_problem_leads_to_its_card_and_to_the_field_that_says_what_is_wrong(browser, live_server, maya, look):
    """17. One problem in each kind of control."""
    journey = drafted(**{key: config for key, (_, config) in WRONG.items()})
    with visiting(browser, live_server.url, **look) as visitor:
        page = visitor.page
        visitor.go(builder_of(journey))
        for key, (field, _) in WRONG.items():
            page.locator("#builder-problems summary").click()
            problem = page.locator(f'#builder-problems [data-step="{key}"]')
            message = problem.inner_text()
            problem.click()
            expect(page.locator("#builder-problems"), key).not_to_have_attribute("open", "")
            expect(page.locator(".jb-card.jb-chosen"), key).to_have_attribute("data-step", key)
            expect(page.locator("#builder-panel form"), key).to_have_attribute("data-step", key)
            focused = page.locator(f'#builder-panel [data-field="{field}"] :focus')
            expect(focused, key).to_be_visible()
            expect(focused, key).to_have_attribute("aria-invalid", "true")
            said = [text.strip().lower() for text in focused.evaluate(TOLD)]
            assert any(text and text in message.lower() for text in said), (key, said, message)
            if "width" not in look:  # on a telephone the panel lies over the map
                becomes(lambda key=key: page.locator(f"#card-{key}").evaluate(MIDDLE), True, page)


def test_a_template_that_goes_away_is_a_problem_of_the_step_that_names_it(browser, live_server, maya):
    """18. Deleted on its page: no journey that runs names it, and it was never sent."""
    journey = drafted()
    with visiting(browser, live_server.url) as visitor:
        page = visitor.page
        visitor.go(builder_of(journey))
        expect(page.locator("#builder-ready")).to_be_visible()
        visitor.go(reverse("admin:delivery_template_change", args=[Template.objects.get(slug="tour").pk]))
        page.get_by_role("link", name="Delete the template").click()
        page.get_by_role("button", name="Delete").click()
        expect(page.get_by_role("heading", name="Email templates")).to_be_visible()
        visitor.go(builder_of(journey))
        expect(page.locator("#builder-problems summary")).to_contain_text("1 problem")
        expect(page.locator("#card-tour.jb-bad .jb-flag")).to_contain_text("there is no template 'tour'")
        page.locator("#builder-problems summary").click()
        expect(problems(page)).to_have_count(1)
        assert shown(page) == [("tour", "config.template", "ref_missing")]
        problems(page).click()
        expect(page.locator("#field-config-template")).to_be_focused()


PANELS = "(places) => places.map(({ dataset }) => [dataset.step ?? null, dataset.field, dataset.code])"


def shown(page: Any) -> list[tuple[str | None, str, str]]:
    """(step, field, code) of the problems in the builder, in their order."""
    return [tuple(each) for each in problems(page).evaluate_all(PANELS)]


def test_the_api_tells_the_same_problems_as_the_builder(browser, live_server, maya):
    """19. Problems of steps and of the journey as a whole, errors and a remark; the same step, field and code, in the
    same order."""
    broken = {
        **SOUND,
        "settings": {"priority": 99, "nonsense": 1},
        "entry": {"trigger": {"type": "event", "event": ""}},
        "exit": {"goal": [{"event": ""}]},
        "steps": {**SOUND["steps"], "alone": step("add_tag", tag="nobody")},
    }
    journey = drafted(broken, **{key: config for key, (_, config) in WRONG.items()})
    with transaction.atomic():
        key = access.create_key(name="acceptance", kind="secret", scopes=["workflows:read"], now=clock.now())
    answer = Client().post(
        f"/api/v1/workflows/{journey.slug}/validate",
        json.dumps(journey.draft),
        content_type="application/json",
        headers={"Authorization": f"Bearer {key}"},
    )
    assert answer.status_code == 200, answer.content
    told = [(each["step"], each["field"], each["code"]) for each in answer.json()["problems"]]
    assert len(told) >= 8 and {None, *WRONG} <= {step for step, _, _ in told}
    with visiting(browser, live_server.url) as visitor:
        visitor.go(builder_of(journey))
        expect(problems(visitor.page)).to_have_count(len(told))
        assert shown(visitor.page) == told


def test_what_is_mended_is_published_as_version_one(browser, live_server, maya):
    """20. Mended by hand in the panel, and published: the version says what the draft says."""
    journey = drafted(hello={"template": "not-there"}, tag={"tag": ""})
    with visiting(browser, live_server.url) as visitor:
        page = visitor.page
        visitor.go(builder_of(journey))
        page.get_by_role("button", name="Publish", exact=True).click()
        page.locator('#builder-problems [data-step="hello"]').click()
        page.locator("#field-config-template").select_option("hello")
        page.get_by_role("button", name="Save step").click()
        expect(page.locator("#builder-problems summary")).to_contain_text("1 problem")
        page.locator("#builder-problems summary").click()
        page.locator('#builder-problems [data-step="tag"]').click()
        expect(page.locator("#field-config-tag")).to_be_focused()
        page.keyboard.type("seen")
        page.get_by_role("button", name="Save step").click()
        expect(page.locator("#builder-ready")).to_be_visible()
        page.get_by_role("button", name="Publish", exact=True).click()
        page.get_by_role("button", name="Publish v1").click()
        expect(page.locator("#builder-bar .cl-pill")).to_have_text("Live v1")
    journey.refresh_from_db()
    version = WorkflowVersion.objects.get()
    assert (version.number, version.definition) == (1, journey.draft)
    assert (version.definition["steps"], version.published_by) == (SOUND["steps"], USERNAME)


def posted(page: Any, path: str, **values: str) -> int:
    """The status of what this page's owner may post, with their session and their token."""
    token = page.locator("[name=csrfmiddlewaretoken]").first.input_value()
    headers = {"X-CSRFToken": token, "Referer": page.url}
    return page.request.post(page.url.partition("/admin/")[0] + path, form=values, headers=headers).status


def test_who_publishes_is_the_lead_and_who_only_reads_changes_nothing(browser, live_server, maya):
    """21. The same person as marketer, as analyst and as lead."""
    roles.make()
    journey = drafted()
    revision = str(journey.draft_revision)
    publish = reverse("admin:workflows_workflow_publishing", args=[journey.pk])
    operation = reverse("admin:workflows_workflow_operation", args=[journey.pk])
    User.objects.filter(pk=maya.pk).update(is_superuser=False, is_staff=True)
    button = {"name": "Publish", "exact": True}

    maya.groups.set([Group.objects.get(name="Marketer")])
    with visiting(browser, live_server.url) as visitor:
        page = visitor.page
        visitor.go(builder_of(journey))
        expect(page.locator("#builder-ready")).to_be_visible()
        expect(page.locator(".jb-plus").first).to_be_visible()
        expect(page.get_by_role("button", **button)).to_have_count(0)
        assert posted(page, publish, revision=revision) == 403
        assert WorkflowVersion.objects.count() == 0

        maya.groups.set([Group.objects.get(name="Analyst")])
        visitor.go(builder_of(journey))
        expect(page.locator(".jb-card")).to_have_count(7)
        expect(page.locator(".jb-plus, .jb-more, [data-do]")).to_have_count(0)
        expect(page.get_by_role("button", **button)).to_have_count(0)
        for name in (*OPERATIONS, "undo", "redo", "go_back"):
            said = {"step": "tag", "port": "next", "kind": "wait", "name": "Mine", "target": "last", "number": "1"}
            assert posted(page, operation, revision=revision, operation=name, **said) == 403, name
        assert (
            posted(page, reverse("admin:workflows_workflow_step", args=[journey.pk, "tag"]), revision=revision) == 403
        )
        assert posted(page, publish, revision=revision) == 403
        page.locator("#card-tag .jb-hit").click()
        expect(page.locator("#builder-panel")).to_contain_text("You may look at this step, but not change it.")

        maya.groups.set([Group.objects.get(name="Marketing lead")])
        journey.refresh_from_db()
        assert (journey.draft, str(journey.draft_revision)) == ({**SOUND}, revision)
        visitor.go(builder_of(journey))
        page.get_by_role("button", **button).click()
        page.get_by_role("button", name="Publish v1").click()
        expect(page.locator("#builder-bar .cl-pill")).to_have_text("Live v1")
    assert WorkflowVersion.objects.get().number == 1
