"""Every kind of step that the contract names is there, whole: a label, words for the journal, settings and tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel

from workflows import wording
from workflows.steps import registry
from workflows.steps.base import StepType

CONTRACT = [
    "send_email", "send_sms", "send_push", "call_webhook", "wait", "wait_for_event", "wait_for_condition", "branch",
    "experiment", "update_contact", "add_tag", "remove_tag", "add_to_list", "remove_from_list",
    "change_lifecycle_stage", "notify_sales", "emit_event", "enter_workflow", "goal", "exit",
]  # fmt: skip
TESTS = "\n".join(path.read_text() for path in sorted(Path("tests/workflows").rglob("test_*.py")))


def test_the_registry_has_the_steps_of_the_contract_and_no_others():
    assert sorted(registry.keys()) == sorted(CONTRACT)


@pytest.mark.parametrize("key", CONTRACT)
def test_a_kind_of_step_is_whole(key):
    kind = registry.find(key)
    assert kind is not None and kind.key == key
    assert kind.label and kind.label[0].isupper() and "_" not in kind.label
    assert issubclass(kind.Config, BaseModel) and kind.Config.model_config["extra"] == "forbid"
    assert kind.__module__.startswith("workflows.steps.")
    assert type(kind).sentence is not StepType.sentence, "no sentence of its own"
    assert key in wording.STEPS and wording.icon(key)[0]
    assert wording.journal(key, "advanced", "next", {})
    assert f'"{key}"' in TESTS, "no test in tests/workflows speaks of it"


def test_labels_tell_steps_apart():
    labels = [kind.label for key in CONTRACT if (kind := registry.find(key))]
    assert len(set(labels)) == len(labels)
