"""The frame of the builder: what stands in its bar, the panels of the journey as a whole, publishing, and the beginning
of a journey."""

from __future__ import annotations

import json

import pytest
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from contacts import clock
from tests import journeys
from tests.journeys import definition, step
from workflows import publishing, revisions
from workflows.builder.forms import labels
from workflows.definition.validation import validate
from workflows.gallery import free_slug
from workflows.models import DraftRevision, Workflow, WorkflowVersion
from workflows.pages.new_journey import empty

pytestmark = pytest.mark.django_db

PUBLISH = 'id="builder-publish-button"'
TAG = {"tag": step("add_tag", tag="t")}


@pytest.fixture
def lead(client) -> Client:
    client.force_login(User.objects.create_superuser("lead"))
    return client


@pytest.fixture
def marketer(db) -> Client:
    """May write drafts, and not publish."""
    user = User.objects.create_user("marketer", is_staff=True)
    for name in ("view_workflow", "change_workflow", "add_workflow"):
        user.user_permissions.add(Permission.objects.get(content_type__app_label="workflows", codename=name))
    client = Client()
    client.force_login(user)
    return client


def drafted(**changes) -> Workflow:
    return publishing.save_draft(definition={**definition(TAG), **changes}, now=clock.now(), by="lead")


def page(name: str, workflow: Workflow, *more) -> str:
    return reverse(f"admin:workflows_workflow_{name}", args=[workflow.pk, *more])


def fill(client: Client, workflow: Workflow, part: str, **values) -> object:
    data = {name.replace("__", "."): value for name, value in values.items()}
    revision = Workflow.objects.get(pk=workflow.pk).draft_revision
    return client.post(page("part", workflow, part), {**data, "revision": revision})


def draft_of(workflow: Workflow) -> dict:
    return Workflow.objects.get(pk=workflow.pk).draft


# -- the first page --------------------------------------------------------------------------------------------------


def test_a_journey_opens_with_its_builder_and_the_status_in_the_bar(lead):
    journey = drafted()
    html = lead.get(page("change", journey)).content.decode()
    assert 'id="builder-stage"' in html and ">Draft</span>" in html and PUBLISH in html
    publishing.publish(slug=journey.slug, by="lead", now=clock.now())
    assert "Live v1" in lead.get(page("change", journey)).content.decode()
    publishing.save_draft(definition={**journey.draft, "name": "Another"}, now=clock.now())
    assert "Live v1, draft has changes" in lead.get(page("change", journey)).content.decode()
    publishing.pause(slug=journey.slug, now=clock.now())
    html = lead.get(page("change", journey)).content.decode()
    assert "Paused v1" in html and 'popovertarget="resume"' in html
    publishing.archive(slug=journey.slug, now=clock.now())
    html = lead.get(page("change", journey)).content.decode()
    assert "Archived v1" in html and 'id="builder-name"' not in html and PUBLISH not in html


def test_every_problem_says_its_setting_and_leads_somewhere(lead):
    journey = drafted(
        entry={"trigger": {"type": "form_submitted"}},
        settings={"priority": 11, "quiet_hours": {"from": "22:00"}},
        exit={"goal": [{"event": ""}]},
        extra=1,
    )
    shown = {row["field"]: row for row in lead.get(page("change", journey)).context["problems"]}
    assert shown["entry.trigger.form"]["panel"] == ".trigger"
    assert shown["entry.trigger.form"]["message"] == "Form: is missing"
    assert shown["settings.priority"]["panel"] == shown["settings.quiet_hours.to"]["panel"] == ".settings"
    assert shown["settings.quiet_hours.to"]["message"].startswith("To: ")
    assert shown["exit.goal.0.event"]["panel"] == ".exit"
    assert shown["extra"]["address"] == page("text", journey)


def test_a_step_says_what_it_lacks_before_a_trigger_is_chosen():
    document = {**empty(name="N", slug="n"), "start": "mail", "steps": {"mail": step("send_email")}}
    found = {(each.step, each.field): each.message for each in labels.told(validate(document), document)}
    assert found[None, "entry.trigger"] == "Choose what starts this journey"
    assert found["mail", "config.template"] == "Template: is missing"


# -- a new journey ---------------------------------------------------------------------------------------------------


def test_from_scratch_a_journey_has_a_trigger_card_and_one_plus(marketer):
    answer = marketer.post(reverse("admin:workflows_workflow_add"), {"begin": "scratch", "name": " Win  back "})
    journey = Workflow.objects.get()
    assert answer["Location"] == page("change", journey)
    assert (journey.slug, journey.name, journey.status, journey.draft["steps"]) == ("win-back", "Win back", "draft", {})
    html = marketer.get(answer["Location"]).content.decode()
    assert html.count('class="jb-plus"') == 1 and html.count('id="card-') == 1 and "Choose a trigger" in html
    assert [each.field for each in validate(journey.draft)] == ["entry.trigger", "steps"]
    assert DraftRevision.objects.get().by == "marketer"


def test_a_second_one_of_the_same_name_gets_a_slug_of_its_own(marketer):
    for _ in range(3):
        marketer.post(reverse("admin:workflows_workflow_add"), {"begin": "scratch"})
    assert sorted(Workflow.objects.values_list("slug", flat=True)) == ["new-journey", "new-journey-2", "new-journey-3"]
    assert free_slug("…") == "journey" and len(free_slug("n" * 300)) <= 100


def test_a_sample_becomes_a_draft_with_its_templates_and_the_second_use_is_another_journey(lead):
    add = reverse("admin:workflows_workflow_add")
    for _ in range(2):
        assert lead.post(add, {"begin": "sample", "sample": "first-order"}).status_code == 302
    assert sorted(Workflow.objects.values_list("slug", flat=True)) == ["first-order", "first-order-2"]
    assert not [each for each in validate(Workflow.objects.get(slug="first-order").draft) if each.severity == "error"]
    assert lead.post(add, {"begin": "sample", "sample": "../first-order"}).status_code == 404


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a: [", "neither YAML nor JSON"),
        (b"\xff\xfe\xfa", "no text in UTF-8"),
        (b"- 1", "no definition"),
        (b"name: x", "a definition with a slug"),
        (b"slug: taken", "There is a journey with the slug"),
    ],
)
def test_a_file_that_is_no_new_journey_is_refused_with_its_reason(marketer, content, said):
    taken = drafted(slug="taken")
    sent = {"begin": "file", "file": SimpleUploadedFile("journey.yaml", content)}
    answer = marketer.post(reverse("admin:workflows_workflow_add"), sent)
    assert answer.status_code == 422 and said in answer.content.decode()
    assert list(Workflow.objects.all()) == [taken]


def test_a_file_with_problems_becomes_a_draft_whose_builder_shows_them(marketer):
    text = b"slug: half\nname: <b>Half</b>\nsteps: {}\ntemplates: []\n"
    sent = {"begin": "file", "file": SimpleUploadedFile("journey.yaml", text)}
    html = marketer.post(reverse("admin:workflows_workflow_add"), sent, follow=True).content.decode()
    assert "problems to solve" in html and "&lt;b&gt;Half&lt;/b&gt;" in html and "<b>Half</b>" not in html


def test_whoever_may_not_write_templates_imports_none(marketer):
    from delivery.models import Template

    document = {"workflow": definition(TAG, slug="with-mail"), "templates": [{"slug": "hello", "name": "Hello"}]}
    sent = {"begin": "file", "file": SimpleUploadedFile("j.json", json.dumps(document).encode())}
    html = marketer.post(reverse("admin:workflows_workflow_add"), sent, follow=True).content.decode()
    assert "you may not write templates" in html and not Template.objects.exists()


# -- the panels of the journey as a whole ----------------------------------------------------------------------------


def test_a_trigger_is_chosen_and_its_card_names_it(lead):
    journey = publishing.save_draft(definition=empty(name="N", slug="n"), now=clock.now())
    form = lead.get(page("part", journey, "trigger"), {"type": "form_submitted"}).content.decode()
    assert 'name="entry.trigger.form"' in form and 'name="entry.trigger.tag"' not in form
    answer = fill(lead, journey, "trigger", entry__trigger__type="form_submitted", entry__trigger__form="Start trial")
    assert "The form “Start trial” is submitted" in answer.json()["parts"]["builder-stage"]
    assert draft_of(journey)["entry"]["trigger"] == {"type": "form_submitted", "form": "Start trial"}
    assert [each.field for each in validate(draft_of(journey))] == ["steps"]


def test_re_entry_after_a_cooldown_keeps_what_was_not_asked(lead):
    audience = {"field": "country", "op": "eq", "value": "DE"}
    journey = drafted(entry={"trigger": {"type": "manual"}, "audience": audience, "odd": 1})
    fill(
        lead,
        journey,
        "trigger",
        **{
            "entry__trigger__type": "manual",
            "entry__audience": json.dumps(audience),
            "entry__odd": "1",
            "entry__re_entry__policy": "after_cooldown",
            "entry__re_entry__key": "event.order_id",
        },
    )
    entry = draft_of(journey)["entry"]
    assert entry["audience"] == audience and entry["odd"] == 1
    assert entry["re_entry"] == {"policy": "after_cooldown", "key": "event.order_id"}
    assert "entry.re_entry.cooldown" in [each.field for each in validate({**draft_of(journey), "entry": {
        key: value for key, value in entry.items() if key != "odd"}})]  # fmt: skip


def test_the_settings_are_filled_in_and_what_is_left_alone_is_not_written_down(lead):
    journey = drafted(settings={})
    fill(lead, journey, "settings", **{
        "settings__lane": "urgent", "settings__message_class": "marketing", "settings__priority": "8",
        "settings__rollout_percent": "100", "settings__holdout_percent": "0", "settings__concurrency_cap": "",
        "settings__quiet_hours__policy": "skip", "settings__quiet_hours__from": "22:00",
        "settings__quiet_hours__to": "07:30",
    })  # fmt: skip
    quiet = {"from": "22:00", "to": "07:30", "policy": "skip"}
    assert draft_of(journey)["settings"] == {"priority": 8, "quiet_hours": quiet}
    assert validate(draft_of(journey)) == []
    fill(lead, journey, "settings", settings__priority="8", settings__quiet_hours__policy="")
    assert draft_of(journey)["settings"] == {"priority": 8, "quiet_hours": None}


def test_rules_are_added_filled_in_and_removed(lead):
    journey = drafted()
    fill(lead, journey, "exit", add="goal.event")
    assert draft_of(journey)["exit"] == {"goal": [{"event": ""}]}
    rule = {"exit__goal__0:asked": "event", "exit__goal__0__event": "subscribed"}
    fill(lead, journey, "exit", **rule, add="disqualify.condition")
    assert draft_of(journey)["exit"] == {"goal": [{"event": "subscribed"}], "disqualify": [{"condition": {}}]}
    assert any(each.field.startswith("exit.disqualify.0") for each in validate(draft_of(journey)))
    html = lead.get(page("part", journey, "exit")).content.decode()
    assert "Something becomes true" in html and 'value="subscribed"' in html
    fill(lead, journey, "exit", **rule, remove="disqualify.0")
    assert draft_of(journey)["exit"] == {"goal": [{"event": "subscribed"}], "disqualify": []}
    assert validate(draft_of(journey)) == []


@pytest.mark.parametrize("part", ["trigger", "settings", "exit"])
@pytest.mark.parametrize("odd", [None, 5, [], "x", {"goal": 5, "re_entry": [], "trigger": "x", "quiet_hours": 7}])
def test_a_mistaken_draft_opens_and_is_not_thrown_away(lead, part, odd):
    journey = drafted(entry=odd, settings=odd, exit=odd)
    assert lead.get(page("part", journey, part)).status_code == 200
    assert lead.get(page("change", journey)).status_code == 200


def test_the_panels_ask_for_permission_and_for_the_revision_that_is_shown(lead, marketer):
    journey = drafted()
    assert fill(marketer, journey, "settings", settings__priority="3").status_code == 200
    stale = lead.post(page("part", journey, "settings"), {"settings.priority": "9", "revision": 1})
    assert stale.status_code == 409 and "marketer" in stale.json()["message"]
    assert draft_of(journey)["settings"]["priority"] == 3
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(content_type__app_label="workflows", codename="view_workflow"))
    client = Client()
    client.force_login(viewer)
    form = client.get(page("part", journey, "exit")).content.decode()
    assert "Save exits</button></footer>" not in form and 'name="add"' not in form
    assert fill(client, journey, "settings", settings__priority="9").status_code == 403
    assert client.get(page("part", journey, "nothing")).status_code == 404


# -- publishing ------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_the_dialog_says_what_changed_and_who_stays_where_they_are(lead):
    journeys.publish(definition({"pause": step("wait", mode="duration", **{"for": "P3D"})}, slug="j"))
    journey = Workflow.objects.get(slug="j")
    journeys.track(journeys.contacts(2), "signed_up")
    journeys.run()
    settings = {**journey.draft.get("settings", {}), "priority": 9}
    publishing.save_draft(definition={**journey.draft, "settings": settings}, now=clock.now())
    html = lead.get(page("publishing", journey)).content.decode()
    assert "Publish version 2" in html and "Its priority is 9" in html and "2 people stay" in html
    revision = Workflow.objects.get(pk=journey.pk).draft_revision
    answer = lead.post(page("publishing", journey), {"revision": revision, "note": "Sooner"}).json()
    assert answer["said"].startswith("Version 2 is published") and "Live v2" in answer["parts"]["builder-bar"]
    version = WorkflowVersion.objects.get(workflow=journey, number=2)
    assert (version.published_by, version.note) == ("lead", "Sooner")
    html = lead.get(page("publishing", journey)).content.decode()
    assert "2 people are under way in older versions" in html and page("plan", journey) in html


def test_a_draft_with_problems_stays_a_draft(lead):
    journey = drafted(start="nowhere")
    answer = lead.post(page("publishing", journey), {"revision": journey.draft_revision})
    assert answer.status_code == 422 and "1 problem to solve first" in answer.json()["message"]
    assert Workflow.objects.get().status == "draft" and not WorkflowVersion.objects.exists()


def test_whoever_may_not_publish_sees_no_button_and_gets_nowhere(marketer):
    journey = drafted()
    assert PUBLISH not in marketer.get(page("change", journey)).content.decode()
    assert marketer.get(page("publishing", journey)).status_code == 403
    answer = marketer.post(page("publishing", journey), {"revision": journey.draft_revision})
    assert answer.status_code == 403 and not WorkflowVersion.objects.exists()


def test_what_was_changed_after_the_dialog_was_opened_is_not_published(lead):
    journey = drafted()
    publishing.save_draft(definition={**journey.draft, "name": "Later"}, now=clock.now(), by="sam")
    answer = lead.post(page("publishing", journey), {"revision": 1})
    assert answer.status_code == 409 and not WorkflowVersion.objects.exists()


# -- the text --------------------------------------------------------------------------------------------------------


def test_the_draft_is_written_as_yaml_and_read_back_the_same(lead):
    journey = drafted()
    text = lead.get(page("text", journey)).context["text"]
    assert text.startswith("schema: 1\n")
    changed = text.replace("name: Journey", "name: Renamed")
    assert changed != text
    lead.post(page("text", journey), {"draft": changed.replace("\n", "\r\n"), "as": "yaml", "revision": 1})
    assert draft_of(journey) == {**journey.draft, "name": "Renamed"}
    held = Workflow.objects.get(pk=journey.pk)
    assert revisions.can_undo(held) and held.draft_entry.by == "lead"


def test_a_problem_of_a_yaml_text_comes_with_its_place(lead):
    journey = drafted(start="nowhere")
    text = "# 🎉\n" + lead.get(page("text", journey)).context["text"]
    check = reverse("admin:workflows_workflow_check")
    html = lead.post(check, {"draft": text, "as": "yaml"}).content.decode()
    start = len(text[: text.index("start: nowhere")].encode("utf-16-le")) // 2
    assert f'data-start="{start}" data-end="{start + len("start: nowhere")}"' in html
    html = lead.post(check, {"draft": "a: 1\nb: [", "as": "yaml"}).content.decode()
    assert "This is not YAML" in html and 'data-offset="9"' in html
    assert "data-start" not in lead.post(check, {"draft": "a: &a [*a]", "as": "yaml"}).content.decode()
