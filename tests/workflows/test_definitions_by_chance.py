"""Definitions made by chance: sound ones go everywhere and come back as they were; damaged ones are told what is wrong,
and break nothing."""

from __future__ import annotations

import copy
import io
import json

import yaml
from django.core.management import call_command
from hypothesis import HealthCheck, given, settings
from hypothesis.extra.django import TestCase

from tests.workflows.definitions import damaged, definitions
from workflows import importing, publishing
from workflows.definition import reading
from workflows.definition.diff import diff
from workflows.definition.sentences import sentences
from workflows.definition.validation import validate
from workflows.definition.writing import as_json, as_yaml
from workflows.editing import edit_plan
from workflows.models import Workflow, WorkflowVersion
from workflows.versions import compile_version

MODERATE = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def exported(*args: str) -> str:
    out = io.StringIO()
    call_command("export_workflow", "made-by-chance", *args, stdout=out)
    return out.getvalue()


class SoundDefinitions(TestCase):
    @MODERATE
    @given(document=definitions())
    def test_a_sound_definition_has_no_errors_and_compiles_once_published(self, document):
        from contacts import clock

        assert [problem for problem in validate(document) if problem.severity == "error"] == []
        publishing.save_draft(definition=document, now=clock.now())
        publishing.publish(slug="made-by-chance", by="chance", now=clock.now())
        version = WorkflowVersion.objects.latest("pk")
        assert version.definition_hash == publishing.definition_hash(document)
        compiled = compile_version(version)
        assert set(compiled.steps) == set(document["steps"])
        assert set(sentences(document).steps) == set(document["steps"])

    @MODERATE
    @given(document=definitions())
    def test_export_import_and_export_give_the_same_bytes_and_the_same_definition(self, document):
        from contacts import clock

        publishing.save_draft(definition=document, now=clock.now())
        stored = Workflow.objects.get().draft
        for form in ((), ("--json",)):
            text = exported(*form)
            read = reading.read(text)
            assert read == stored
            importing.import_document(read, by="chance", publish=False, now=clock.now())
            assert exported(*form) == text
            assert Workflow.objects.get().draft == stored
        assert yaml.safe_load(as_yaml(stored)) == stored

    @MODERATE
    @given(document=definitions())
    def test_the_order_in_which_it_was_stored_changes_no_byte(self, document):
        turned = json.loads(json.dumps(document, sort_keys=True))
        reversed_ = _reversed(document)
        assert as_yaml(document) == as_yaml(turned) == as_yaml(reversed_)
        assert as_json(document) == as_json(turned) == as_json(reversed_)

    @MODERATE
    @given(before=definitions(), after=definitions())
    def test_the_differences_are_none_or_tell_each_step_that_differs(self, before, after):
        assert diff(before, copy.deepcopy(before)) == []
        changes = diff(before, after)
        assert bool(changes) == (before != after)
        told = {change.step for change in changes}
        for key in {*before["steps"], *after["steps"]}:
            assert (key in told) == (before["steps"].get(key) != after["steps"].get(key))
        assert changes == diff(_reversed(before), _reversed(after))
        assert all(change.sentence for change in changes)

    @MODERATE
    @given(before=definitions(), after=definitions())
    def test_what_might_be_repeated_is_worked_out_for_any_two_definitions(self, before, after):
        for key in before["steps"]:
            for target in after["steps"]:
                again = edit_plan.may_repeat(before, key, after, target)
                assert set(again) <= set(before["steps"]) & set(after["steps"])


class DamagedDefinitions(TestCase):
    @settings(MODERATE, max_examples=100)
    @given(document=damaged())
    def test_whatever_stands_there_one_gets_problems_with_places_and_no_exception(self, document):
        from contacts import clock

        problems = validate(document)
        for problem in problems:
            assert problem.message and problem.code
            assert problem.step is None or problem.step in document["steps"]
        if isinstance(document, dict):
            sentences(document)
            diff(document, {})
            diff({}, document)
            as_yaml(document)
            as_json(document)
        try:
            importing.import_document(copy.deepcopy(document), by="chance", publish=True, now=clock.now())
        except (importing.BadDocument, publishing.CannotPublish):
            return
        assert not [problem for problem in problems if problem.severity == "error"]


def _reversed(value):
    if isinstance(value, dict):
        return {key: _reversed(part) for key, part in reversed(value.items())}
    return [_reversed(part) for part in value] if isinstance(value, list) else value
