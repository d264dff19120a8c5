"""The panel of a step, through HTTP: what it shows, what is saved of it, and who may."""

from __future__ import annotations

from typing import Any, Literal, get_args, get_origin

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from contacts import clock
from scoring.lifecycle import labels
from tests import journeys
from tests.journeys import definition, step
from tests.workflows.builder.filled import untouched
from workflows import publishing
from workflows.builder.forms import form, registry
from workflows.builder.forms.controls.duration import iso
from workflows.builder.forms.controls.recurrence import usual
from workflows.definition import shown
from workflows.definition.problems import Problem
from workflows.models import DraftRevision, Workflow
from workflows.steps import registry as steps
from workflows.triggers import registry as triggers

pytestmark = pytest.mark.django_db

IF = {"all": [{"field": "plan", "op": "eq", "value": "pro"}]}
ARMS = [{"key": "yes", "if": IF}, {"key": "VIP", "if": IF}]


def journey(**given: dict[str, Any]) -> Workflow:
    return publishing.save_draft(definition=definition(given), now=clock.now(), by="maya", what="Began")


def panel(workflow: Workflow, key: str, user: str = "admin") -> str:
    address = reverse("admin:workflows_workflow_step", args=[workflow.pk, key])
    response = client(user).get(address)
    assert response.status_code == 200
    return response.content.decode()


def client(user: str = "admin") -> Client:
    found = User.objects.filter(username=user).first() or User.objects.create_superuser(user)
    made = Client()
    made.force_login(found)
    return made


def filled(workflow: Workflow, key: str) -> dict[str, str]:
    """What a browser would send of the panel that nobody has touched."""
    given = workflow.draft["steps"][key]
    fields = form.fields(steps.find(given["type"]).Config, given.get("config") or {}, below="config")
    return {"name": given.get("name", ""), **untouched(fields).dict()}


def save(workflow: Workflow, key: str, sent: dict[str, str], *, user: str = "admin", status: int = 200) -> Any:
    workflow.refresh_from_db()
    address = reverse("admin:workflows_workflow_step", args=[workflow.pk, key])
    response = client(user).post(address, {**sent, "revision": str(workflow.draft_revision)})
    assert response.status_code == status, response.content
    workflow.refresh_from_db()
    return response.json() if status in (200, 422) else None


def test_every_setting_of_every_step_and_trigger_says_how_it_is_shown():
    kinds = [(key, steps.find(key).Config) for key in sorted(steps.keys())]
    kinds += [(key, triggers.find(key)) for key in sorted(triggers.keys())]
    silent = [
        f"{key}.{name}"
        for key, model in kinds
        for name, info in model.model_fields.items()
        if get_origin(info.annotation) is not Literal or len(get_args(info.annotation)) > 1
        if not any(isinstance(each, shown.Shown) for each in info.metadata)
    ]
    unknown = [
        f"{key}.{name}"
        for key, model in kinds
        for name, (_, said) in shown.fields(model).items()
        if said.control not in set(registry.keys())
    ]
    assert silent == [] and unknown == []


def test_a_panel_saved_as_it_was_opened_leaves_no_trace():
    workflow = journey(check=step("branch", {"yes": None, "VIP": None, "else": None}, arms=ARMS))
    before, revisions = workflow.draft, DraftRevision.objects.count()
    save(workflow, "check", filled(workflow, "check"))
    assert workflow.draft == before
    assert DraftRevision.objects.count() == revisions


def test_a_path_that_is_renamed_keeps_what_follows_on_it():
    workflow = journey(
        check=step("branch", {"yes": "one", "VIP": "two", "else": None}, arms=ARMS),
        one=step("add_tag", tag="one"),
        two=step("add_tag", tag="two"),
    )
    sent = {**filled(workflow, "check"), "config.arms.0.name": "Opened it!"}
    save(workflow, "check", sent)
    changed = workflow.draft["steps"]["check"]
    assert [arm["key"] for arm in changed["config"]["arms"]] == ["opened_it", "VIP"]
    assert changed["next"] == {"opened_it": "one", "VIP": "two", "else": None}


def test_paths_in_another_order_keep_what_follows_on_them():
    workflow = journey(
        check=step("branch", {"yes": "one", "VIP": None, "else": None}, arms=ARMS), one=step("add_tag", tag="one")
    )
    sent = filled(workflow, "check")
    first = {name: value for name, value in sent.items() if name.startswith("config.arms.0.")}
    last = {name: value for name, value in sent.items() if name not in first}
    save(workflow, "check", {**last, **first})
    changed = workflow.draft["steps"]["check"]
    assert [arm["key"] for arm in changed["config"]["arms"]] == ["VIP", "yes"]
    assert changed["next"]["yes"] == "one"


def test_a_path_whose_name_leaves_no_key_is_refused_and_nothing_is_changed():
    workflow = journey(check=step("branch", {"yes": None, "VIP": None, "else": None}, arms=ARMS))
    before = workflow.draft
    answer = save(workflow, "check", {**filled(workflow, "check"), "config.arms.0.name": "Да"}, status=422)
    assert "Да" in answer["message"]
    assert workflow.draft == before


def test_what_does_not_apply_is_not_saved():
    workflow = journey(wait=step("wait", mode="duration", **{"for": "P1D"}))
    save(workflow, "wait", {**filled(workflow, "wait"), "config.mode": "local_time", "config.at": "09:00"})
    assert workflow.draft["steps"]["wait"]["config"] == {"mode": "local_time", "at": "09:00"}


def test_a_problem_stands_at_its_field_and_is_what_describes_it():
    workflow = journey(mail=step("send_email", template="gone"))
    html = panel(workflow, "mail")
    assert "gone (missing)" in html
    place = html[html.index('data-field="config.template"') :]
    select = place[place.index("<select") : place.index(">", place.index("<select"))]
    assert 'aria-invalid="true"' in select and 'aria-describedby="field-config-template-wrong"' in select
    assert 'id="field-config-template-wrong"' in place


def test_a_problem_inside_a_path_stands_at_that_path():
    arms = [ARMS[0], {"key": "yes", "if": IF}]
    problems = [Problem("check", "config.arms.1.key", "duplicate", "it is there already")]
    field = form.fields(steps.find("branch").Config, {"arms": arms}, below="config", problems=problems)[0]
    rows = field.control.context(field)["rows"]
    assert rows[0].wrong["key"] == () and rows[1].wrong["key"] == ("it is there already",)
    assert field.wrong == ()


def test_only_templates_of_the_steps_channel_are_offered():
    journeys.template("letter")
    workflow = journey(mail=step("send_email", template="letter"), text=step("send_sms", template="x"))
    assert '<option value="letter"' in panel(workflow, "mail")
    assert '<option value="letter"' not in panel(workflow, "text")


def test_stages_are_called_as_the_installation_calls_them():
    labels.rename({"mql": "Warm"})
    workflow = journey(move=step("change_lifecycle_stage", to="mql"))
    assert '<option value="mql" data-note="" data-link="" selected>Warm</option>' in panel(workflow, "move")


def test_whom_to_skip_is_kept_changed_and_taken_away():
    workflow = journey(tag={**step("add_tag", tag="a"), "skip_if": {"has_tag": "b"}}, end=step("exit", {}))
    sent = filled(workflow, "tag")
    save(workflow, "tag", sent)
    assert workflow.draft["steps"]["tag"]["skip_if"] == {"has_tag": "b"}
    save(workflow, "tag", {**sent, "skip_if": '{"has_tag": "c"}'})
    assert workflow.draft["steps"]["tag"]["skip_if"] == {"has_tag": "c"}
    save(workflow, "tag", {**sent, "skip_if": ""})
    assert "skip_if" not in workflow.draft["steps"]["tag"]
    assert 'name="skip_if"' in panel(workflow, "tag") and 'name="skip_if"' not in panel(workflow, "end")


def test_two_values_of_one_name_are_refused_instead_of_one_being_lost():
    workflow = journey(set=step("update_contact", set={"plan": "pro", "seats": 3}))
    answer = save(workflow, "set", {**filled(workflow, "set"), "config.set.1.name": "plan"}, status=422)
    assert answer["message"] == "“plan” is there twice."
    assert workflow.draft["steps"]["set"]["config"] == {"set": {"plan": "pro", "seats": 3}}


def test_text_that_is_no_json_is_kept_as_it_was_written():
    workflow = journey(call=step("call_webhook", url="https://example.com", body={"a": 1}))
    save(workflow, "call", {**filled(workflow, "call"), "config.body": '{"a": '})
    assert workflow.draft["steps"]["call"]["config"]["body"] == '{"a":'
    assert "{&quot;a&quot;:</textarea>" in panel(workflow, "call")


def test_a_setting_that_no_step_has_is_shown_and_can_be_taken_away():
    workflow = journey(tag=step("add_tag", tag="a", colour="red"))
    sent = filled(workflow, "tag")
    save(workflow, "tag", sent)
    assert workflow.draft["steps"]["tag"]["config"] == {"tag": "a", "colour": "red"}
    save(workflow, "tag", {**sent, "config.colour": ""})
    assert workflow.draft["steps"]["tag"]["config"] == {"tag": "a"}


def test_who_may_only_look_gets_no_button_and_cannot_save():
    workflow = journey(tag=step("add_tag", tag="a"))
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_workflow"))
    html = panel(workflow, "tag", "viewer")
    assert "Save step" not in html and '<fieldset class="jb-fields" disabled' in html
    save(workflow, "tag", {**filled(workflow, "tag"), "config.tag": "b"}, user="viewer", status=403)
    assert workflow.draft["steps"]["tag"]["config"] == {"tag": "a"}


def test_words_of_a_draft_are_text_on_its_panel():
    hostile = "<script>alert(1)</script>"
    workflow = journey(
        tag={**step("add_tag", tag=hostile), "name": hostile, "skip_if": {"has_tag": "</textarea><script>"}},
        set=step("update_contact", set={hostile: hostile}),
    )
    for key in ("tag", "set"):
        html = panel(workflow, key)
        assert "<script" not in html and "&lt;script" in html


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ([("1", "days")], "P1D"),
        ([("2", "weeks")], "P2W"),
        ([("2", "weeks"), ("1", "days")], "P15D"),
        ([("30", "minutes"), ("1", "hours"), ("2", "hours")], "PT3H30M"),
        ([("", "days"), ("5", "minutes")], "PT5M"),
        ([("1", "months"), ("3", "hours")], "P1MT3H"),
        ([("", "days")], ""),
        ([("1.5", "days")], "1.5"),
    ],
)
def test_amounts_and_units_become_one_duration(parts, text):
    assert iso(parts) == text


def test_only_a_rule_that_is_said_exactly_is_shown_as_a_usual_one():
    assert usual("FREQ=WEEKLY;BYDAY=MO,FR;BYHOUR=9;BYMINUTE=0").days == ("MO", "FR")
    assert usual("FREQ=WEEKLY;BYDAY=FR,MO;BYHOUR=9;BYMINUTE=0") is None
    assert usual("FREQ=DAILY;BYHOUR=25;BYMINUTE=0") is None


def test_a_time_in_a_named_zone_is_stored_as_that_instant():
    workflow = journey(wait=step("wait", mode="until", until="2027-01-31T09:00:00Z"))
    sent = {**filled(workflow, "wait"), "config.until:date": "2027-07-01", "config.until:zone": "Europe/Berlin"}
    save(workflow, "wait", sent)
    assert workflow.draft["steps"]["wait"]["config"]["until"] == "2027-07-01T09:00:00+02:00"
