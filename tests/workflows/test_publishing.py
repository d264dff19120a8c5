"""Drafts may be unfinished; versions never are, and never change."""

import copy

import pytest
from django.db import IntegrityError, transaction

from tests import journeys
from tests.journeys import definition, step
from workflows import publishing
from workflows.definition.validation import validate
from workflows.models import Workflow, WorkflowTrigger, WorkflowVersion
from workflows.publishing import CannotPublish

pytestmark = pytest.mark.django_db

GOOD = definition({"tag": step("add_tag", tag="t")})


def problems(document) -> set[tuple[str | None, str, str]]:
    return {(problem.step, problem.field, problem.code) for problem in validate(document)}


def changed(**changes) -> dict:
    return {**copy.deepcopy(GOOD), **changes}


def test_a_good_definition_has_no_problems():
    assert validate(GOOD) == []


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (None, (None, "", "bad_value")),
        ([], (None, "", "bad_value")),
        ({}, (None, "steps", "missing")),
        (changed(schema=2), (None, "schema", "bad_value")),
        (changed(surprise=1), (None, "surprise", "unknown_field")),
        (changed(slug="Not A Slug"), (None, "slug", "bad_value")),
        (changed(start="nowhere"), (None, "start", "dangling_next")),
        (changed(steps={}), (None, "steps", "bad_value")),
        (changed(settings={"priority": 11}), (None, "settings.priority", "bad_value")),
        (changed(settings={"default_timezone": "Mars/X"}), (None, "settings.default_timezone", "bad_value")),
        (changed(steps={"tag": step("teleport")}), ("tag", "type", "unknown_type")),
        (changed(steps={"tag": step("add_tag")}), ("tag", "config.tag", "bad_config")),
        (changed(steps={"tag": step("add_tag", {}, tag="t")}), ("tag", "next.next", "port_mismatch")),
        (changed(steps={"tag": step("exit", {"up": None})}), ("tag", "next.up", "port_mismatch")),
        (changed(steps={"tag": step("add_tag", {"next": "gone"}, tag="t")}), ("tag", "next.next", "dangling_next")),
        (changed(steps={"tag": step("add_tag", {"next": "tag"}, tag="t")}), ("tag", "next", "cycle")),
        (changed(steps={"tag": step("add_tag", tag="t"), "b": step("add_tag", tag="u")}), ("b", "", "unreachable")),
        (changed(steps={"tag": step("wait", mode="duration", **{"for": "3 d"})}), ("tag", "config.for", "bad_value")),
        (changed(steps={"tag": step("wait", mode="duration")}), ("tag", "config.for", "missing")),
        (changed(steps={"tag": step("wait", mode="local_time", at="24:00")}), ("tag", "config.at", "bad_config")),
        (changed(steps={"tag": step("send_email", template="gone")}), ("tag", "config.template", "ref_missing")),
    ],
)  # fmt: skip
def test_each_mistake_is_named_with_its_place(document, problem):
    assert problem in problems(document)


def test_a_mistake_in_a_condition_leads_to_the_field():
    arms = [{"key": "yes", "if": {"all": [{"field": "plan", "op": "matches", "value": "x"}]}}]
    document = changed(steps={"tag": step("branch", {"yes": None, "else": None}, arms=arms)})
    places = [(p.step, p.field) for p in validate(document)]
    assert any(step == "tag" and field.startswith("config.arms.0.if.all[0]") for step, field in places)


def test_a_long_loop_is_found_and_what_lies_behind_it_is_not_blamed():
    steps = {
        "a": step("add_tag", {"next": "b"}, tag="t"), "b": step("add_tag", {"next": "c"}, tag="t"),
        "c": step("branch", {"yes": "b", "else": "d"}, arms=[{"key": "yes", "if": {"has_tag": "x"}}]),
        "d": step("add_tag", tag="t"),
    }  # fmt: skip
    cycles = [p.step for p in validate(changed(start="a", steps=steps)) if p.code == "cycle"]
    assert cycles == ["b"]


def test_joins_are_fine():
    steps = {
        "split": step("branch", {"yes": "a", "else": "b"}, arms=[{"key": "yes", "if": {"has_tag": "x"}}]),
        "a": step("add_tag", {"next": "end"}, tag="t"), "b": step("add_tag", {"next": "end"}, tag="t"),
        "end": step("add_tag", tag="t"),
    }  # fmt: skip
    assert validate(changed(start="split", steps=steps)) == []


def test_a_draft_may_be_wrong_but_is_not_published(now):
    publishing.save_draft(definition=changed(start="nowhere"), now=now)
    with pytest.raises(CannotPublish) as caught:
        publishing.publish(slug="journey", by="ada", now=now)
    assert caught.value.problems[0].field == "start"
    assert Workflow.objects.get().status == "draft" and not WorkflowVersion.objects.exists()


def test_publishing_freezes_the_draft_and_turns_the_trigger_to_the_new_version(now):
    for tag in ("one", "two"):
        publishing.save_draft(definition=changed(steps={"tag": step("add_tag", tag=tag)}), now=now)
        publishing.publish(slug="journey", by="ada", now=now)
    first, second = WorkflowVersion.objects.order_by("number")
    assert (first.number, second.number) == (1, 2)
    assert first.definition["steps"]["tag"]["config"] == {"tag": "one"}
    assert first.definition_hash != second.definition_hash
    assert WorkflowTrigger.objects.get().version_id == second.pk
    assert Workflow.objects.get().live_version_id == second.pk


def test_a_published_definition_cannot_be_changed_by_anybody(now):
    publishing.save_draft(definition=GOOD, now=now)
    publishing.publish(slug="journey", by="ada", now=now)
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        WorkflowVersion.objects.update(definition={})
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        WorkflowVersion.objects.all()._raw_delete("default")


def test_the_samples_are_valid_and_publish():
    from pathlib import Path

    from django.conf import settings

    from workflows import gallery, importing
    from workflows.definition import reading

    files = sorted((Path(settings.BASE_DIR) / "workflows" / "samples").glob("*.yaml"))
    assert len(files) >= 3
    for path in files:
        document = reading.read(path.read_text(encoding="utf-8"))
        assert gallery.furnish(document, now=journeys.clock.now()) == []
        imported = importing.import_document(document, by="test", publish=True, now=journeys.clock.now())
        assert imported.problems == [] and imported.version == 1


@pytest.mark.parametrize("number", [-0.0, 1e16, 1.2345e30, -1e22, 0.1, 1.0, 1e-7, 7])
def test_a_number_has_the_same_hash_before_and_after_it_was_stored(number, now):
    given = {**GOOD, "slug": "numbers", "entry": {"field": "total", "op": "gte", "value": number}}
    publishing.save_draft(definition=given, now=now)
    assert publishing.definition_hash(Workflow.objects.get(slug="numbers").draft) == publishing.definition_hash(given)
