"""The pages that are made from the code: complete, and what they say is so."""

import re

import pytest
from django.conf import settings

from analytics.health import metrics
from config.reference import commands, events, installation, writing
from contacts.conditions.fields import FIELDS
from contacts.conditions.operators import OPERATORS
from workflows.steps import registry as steps
from workflows.triggers import registry as triggers


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reference")
    return {path.stem: path.read_text(encoding="utf-8") for path in writing.write(folder)}


def test_every_page_begins_with_its_title_and_is_whole(pages):
    assert set(pages) == set(writing.PAGES)
    for text in pages.values():
        assert re.match(r"# \w", text) and text.endswith("\n") and "None" not in text


def test_every_step_and_trigger_is_there_with_its_settings(pages):
    for key in steps.keys():  # noqa: SIM118
        assert f"{{ #{key} }}" in pages["steps"]
        for name in steps.find(key).Config.model_json_schema().get("properties", {}):
            assert f"| `{name}` |" in pages["steps"]
    for key in triggers.keys():  # noqa: SIM118
        assert f"{{ #{key} }}" in pages["triggers"]


def test_every_field_and_operator_is_there(pages):
    for name in (*FIELDS, *OPERATORS):
        assert f"| `{name}` |" in pages["conditions"]


def test_every_event_of_ours_is_told_of_and_no_other():
    assert set(events.TOLD) == events.recorded()


def test_every_setting_is_there_with_words(pages):
    documented = re.findall(
        r"^#?([A-Z][A-Z0-9_]*)=", (settings.BASE_DIR / ".env.example").read_text(encoding="utf-8"), re.MULTILINE
    )
    rows = dict(re.findall(r"^\| `([A-Z0-9_]+)` \|[^|]*\|(.*)\|$", pages["settings"], re.MULTILINE))
    assert sorted(rows) == sorted(documented)
    assert [name for name, words in rows.items() if not words.strip()] == []


@pytest.mark.django_db
def test_the_metrics_are_those_that_are_served_with_their_labels(now):
    served = {}
    for family in metrics.families(now):
        total = "_total" if family.type == "counter" else ""
        labels = {name for sample in family.samples for name in sample.labels} - {"le"}
        served[family.name + total] = labels
    told = {each.name: set(each.labels) for each in installation.metrics()}
    assert set(told) == set(served)
    assert {name for name, labels in served.items() if labels and labels != told[name]} == set()


def test_every_command_is_there_with_its_examples(pages):
    for name, command in commands.ours().items():
        assert f"\n## {name}\n" in pages["commands"]
        assert all(example in pages["commands"] for example in command.examples)


def test_every_address_of_the_api_is_there(pages):
    assert "`/api/v1/events/`" in pages["api"] or "`/api/v1/events`" in pages["api"]
    assert pages["api"].count("| `/api/v1/") > 80
