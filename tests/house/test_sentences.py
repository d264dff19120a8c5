"""Every kind of step and of trigger says in a sentence what it does, and names each of its settings."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from workflows.definition import phrases
from workflows.definition.sentences import step_sentence, trigger_sentence
from workflows.steps import registry
from workflows.triggers.registry import Trigger

CONDITION = {"has_tag": "sapphire"}
# type -> settings, and the words by which each of them must be known again
STEPS: dict[str, list[tuple[dict[str, Any], tuple[str, ...]]]] = {
    "send_email": [({"template": "ruby", "topic": "opal"}, ("ruby", "opal"))],
    "send_sms": [({"template": "ruby", "topic": "opal"}, ("ruby", "opal"))],
    "send_push": [({"template": "ruby", "topic": "opal"}, ("ruby", "opal"))],
    "wait": [
        ({"mode": "duration", "for": "P1DT2H", "jitter": "PT9M"}, ("1 day 2 hours", "9 minutes")),
        ({"mode": "local_time", "at": "09:30", "weekday": "friday"}, ("09:30", "Friday")),
        ({"mode": "local_time", "at": "09:30"}, ("09:30",)),
        ({"mode": "until", "until": "2027-01-31T09:00:00Z"}, ("2027-01-31T09:00:00Z",)),
        (
            {"mode": "date_attribute", "attribute": "ruby", "offset": "-P3D", "at": "09:30"},
            ("ruby", "3 days before", "09:30"),
        ),
    ],
    "wait_for_event": [({"event": "ruby", "where": CONDITION, "timeout": "P4D"}, ("ruby", "sapphire", "4 days"))],
    "wait_for_condition": [({"if": CONDITION, "timeout": "P4D"}, ("sapphire", "4 days"))],
    "branch": [({"arms": [{"key": "ruby", "if": CONDITION}]}, ("ruby", "sapphire"))],
    "experiment": [
        (
            {"experiment": "ruby", "variants": [{"key": "opal", "weight": 45}, {"key": "jade", "weight": 55}]},
            ("ruby", "opal", "45", "jade", "55"),
        )
    ],
    "update_contact": [({"set": {"ruby": "opal"}}, ("ruby", "opal"))],
    "add_tag": [({"tag": "ruby"}, ("ruby",))],
    "remove_tag": [({"tag": "ruby"}, ("ruby",))],
    "add_to_list": [({"list": "ruby"}, ("ruby",))],
    "remove_from_list": [({"list": "ruby"}, ("ruby",))],
    "change_lifecycle_stage": [({"to": "mql"}, ("MQL",))],
    "notify_sales": [({"message": "ruby"}, ("ruby",))],
    "call_webhook": [
        (
            {"url": "https://ruby.example/", "method": "PUT", "headers": {"X-Opal": "jade"}, "body": {"onyx": 1}},
            ("ruby.example", "PUT", "Opal", "onyx"),
        )
    ],
    "emit_event": [({"type": "ruby", "properties": {"opal": "jade"}}, ("ruby", "opal", "jade"))],
    "enter_workflow": [({"workflow": "ruby"}, ("ruby",))],
    "goal": [({"name": "ruby"}, ("ruby",))],
    "exit": [({"reason": "ruby"}, ("ruby",))],
}
TRIGGERS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "event": ({"event": "ruby", "where": CONDITION}, ("ruby", "sapphire")),
    "tag_added": ({"tag": "ruby"}, ("ruby",)),
    "list_joined": ({"list": "ruby"}, ("ruby",)),
    "segment_entered": ({"segment": "ruby"}, ("ruby", "enters")),
    "segment_left": ({"segment": "ruby"}, ("ruby", "leaves")),
    "score_crossed": ({"threshold": 61, "direction": "up", "score": "ruby"}, ("61", "reaches", "ruby")),
    "lifecycle_changed": ({"to": "mql"}, ("MQL",)),
    "form_submitted": ({"form": "ruby"}, ("ruby",)),
    "date": ({"attribute": "ruby", "offset": "-P3D", "at": "09:30"}, ("ruby", "3 days", "09:30")),
    "schedule": ({"rrule": "FREQ=DAILY;BYHOUR=9", "segment": "ruby"}, ("FREQ=DAILY", "ruby")),
    "manual": ({}, ("hand",)),
    "api": ({}, ("system",)),
}


def trigger_types() -> set[str]:
    return {get_args(kind.model_fields["type"].annotation)[0] for kind in get_args(get_args(Trigger)[0])}


def test_every_kind_of_step_and_trigger_has_an_example_here():
    assert set(registry.keys()) - set(STEPS) == set()
    assert trigger_types() - set(TRIGGERS) == set()


@pytest.mark.parametrize("kind", sorted(set(registry.keys()) & set(STEPS)))
def test_a_steps_sentence_names_its_settings(kind):
    for config, words in STEPS[kind]:
        said = registry.find(kind).sentence(registry.find(kind).Config.model_validate(config))
        assert [word for word in words if word not in said] == [], said
        assert said[0].isupper() and not said.endswith(".") and "None" not in said
        skipped = step_sentence({"type": kind, "config": config, "skip_if": {"has_tag": "beryl"}})
        assert skipped.startswith(phrases.clipped(said, phrases.SENTENCE)) and "beryl" in skipped


@pytest.mark.parametrize("kind", sorted(trigger_types() & set(TRIGGERS)))
def test_a_triggers_sentence_names_its_settings(kind):
    settings, words = TRIGGERS[kind]
    said = trigger_sentence({"type": kind, **settings})
    assert [word for word in words if word not in said] == [], said
    assert not said.startswith("Trigger {"), "the settings of this example are not valid"


@pytest.mark.parametrize(
    "step",
    [
        None, 1, [], {}, {"type": 3}, {"type": "teleport", "config": {"where": 1}},
        {"type": "wait", "config": {"mode": "x"}}, {"type": "branch", "config": {"arms": None}},
        {"type": "add_tag", "skip_if": {"has": 1}},
    ],
)  # fmt: skip
def test_what_cannot_be_said_is_quoted_and_breaks_nothing(step):
    assert step_sentence(step)
    assert trigger_sentence(step)
