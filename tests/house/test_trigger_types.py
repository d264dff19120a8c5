"""Every kind of trigger that the contract names is there, whole: a label, a sentence of its own, settings and tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest

from workflows.triggers.base import TriggerType
from workflows.triggers.registry import Trigger

CONTRACT: dict[str, dict[str, Any]] = {
    "event": {"event": "signed_up"},
    "tag_added": {"tag": "vip"},
    "list_joined": {"list": "news"},
    "segment_entered": {"segment": "pros"},
    "segment_left": {"segment": "pros"},
    "score_crossed": {"threshold": 60, "direction": "down"},
    "lifecycle_changed": {"to": "mql"},
    "form_submitted": {"form": "demo"},
    "date": {"attribute": "renewal", "offset": "-P3D", "at": "09:00"},
    "schedule": {"rrule": "FREQ=DAILY", "segment": "pros"},
    "manual": {},
    "api": {},
}
TYPES: dict[str, type[TriggerType]] = {
    get_args(kind.model_fields["type"].annotation)[0]: kind for kind in get_args(get_args(Trigger)[0])
}
TESTS = "\n".join(path.read_text() for path in sorted(Path("tests/workflows").glob("test_*.py")))


def test_the_registry_has_the_triggers_of_the_contract_and_no_others():
    assert sorted(TYPES) == sorted(CONTRACT)


@pytest.mark.parametrize("name", CONTRACT)
def test_a_kind_of_trigger_is_whole(name):
    kind = TYPES[name]
    assert kind.label and kind.label[0].isupper() and "_" not in kind.label
    assert kind.sentence is not TriggerType.sentence, "no sentence of its own"
    assert name in TESTS, "no test in tests/workflows speaks of it"
    trigger = kind(type=name, **CONTRACT[name])
    sentence = trigger.sentence()
    assert not sentence[0].islower() and not sentence.endswith(".")
    assert trigger.event_type() is None or trigger.event_type()


def test_labels_tell_triggers_apart():
    assert len({kind.label for kind in TYPES.values()}) == len(TYPES)
