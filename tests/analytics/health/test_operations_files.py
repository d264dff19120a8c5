"""The files for Prometheus and Grafana name only what /metrics says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings
from prometheus_client.parser import text_string_to_metric_families

pytestmark = pytest.mark.django_db(transaction=True)

FOLDER = Path(settings.BASE_DIR) / "docs" / "operations"
NAME = re.compile(r"carillon_[a-z0-9_]+")
SELECTOR = re.compile(r"(carillon_[a-z0-9_]+)\{([^}]*)\}")
MATCHER = re.compile(r'([a-z_]+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
DURATION = re.compile(r"(\d+(ms|s|m|h|d|w|y))+")
OF_PROMETHEUS = {"instance", "job"}  # labels that it adds itself


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((FOLDER / "prometheus-rules.yml").read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    return json.loads((FOLDER / "grafana-dashboard.json").read_text(encoding="utf-8"))


def panels() -> list[dict[str, Any]]:
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def expressions() -> list[str]:
    return [rule["expr"] for rule in rules()] + [target["expr"] for panel in panels() for target in panel["targets"]]


@pytest.fixture
def said(client) -> dict[str, set[str]]:
    """Every sample that /metrics may say, with its labels; those of families without samples now, too."""
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(client.get("/metrics").content.decode()):
        total = f"{family.name}_total" if family.type == "counter" else family.name
        found.setdefault(total, set())
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def test_every_metric_that_the_files_name_exists(said):
    named = {name for expression in expressions() for name in NAME.findall(expression)}
    assert len(named) > 20
    assert named - set(said) == set()


def test_the_how_to_names_every_metric_and_no_other(said):
    """Without the parts of histograms."""
    written = set(NAME.findall((FOLDER / "README.md").read_text(encoding="utf-8")))
    parts = re.compile("(_bucket|_count|_sum|_created)$")
    families = {parts.sub("", name) for name in said if name.startswith("carillon_")}
    assert written == families


def test_every_label_that_the_files_ask_for_exists(said):
    unknown = [
        (name, label)
        for expression in expressions()
        for name, selector in SELECTOR.findall(expression)
        for label, _, _ in MATCHER.findall(selector)
        if said[name] and label not in said[name] | OF_PROMETHEUS
    ]
    assert unknown == []


def test_every_value_of_a_label_that_the_rules_ask_for_may_come(client):
    samples = [
        sample
        for family in text_string_to_metric_families(client.get("/metrics").content.decode())
        for sample in family.samples
    ]
    known: dict[tuple[str, str], set[str]] = {}
    for sample in samples:
        for label, value in sample.labels.items():
            known.setdefault((sample.name, label), set()).add(value)
    unknown = [
        (name, label, value)
        for expression in expressions()
        for name, selector in SELECTOR.findall(expression)
        for label, _, values in MATCHER.findall(selector)
        for value in values.split("|")
        if (name, label) in known and value not in known[name, label] and label not in OF_PROMETHEUS
    ]
    assert unknown == []


def test_every_rule_is_whole():
    assert len(rules()) > 15 and len({rule["alert"] for rule in rules()}) == len(rules())
    for rule in rules():
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}, rule["alert"]
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert set(rule["annotations"]) == {"summary", "description", "runbook"}
        assert "for" not in rule or DURATION.fullmatch(rule["for"])
        assert re.fullmatch("Carillon[A-Z][A-Za-z]+", rule["alert"])


def test_the_groups_of_the_rules_are_whole():
    document = yaml.safe_load((FOLDER / "prometheus-rules.yml").read_text(encoding="utf-8"))
    assert set(document) == {"groups"}
    assert all(set(group) == {"name", "rules"} and group["rules"] for group in document["groups"])
    assert len({group["name"] for group in document["groups"]}) == len(document["groups"])


def test_every_rule_leads_to_a_section_that_is_there():
    for rule in rules():
        path, _, anchor = rule["annotations"]["runbook"].partition("#")
        text = (Path(settings.BASE_DIR) / path).read_text(encoding="utf-8")
        headings = {heading.lower().replace(" ", "-") for heading in re.findall("^## (.+)$", text, re.MULTILINE)}
        assert anchor in headings, rule["alert"]


def test_words_of_the_rules_name_labels_that_are_left():
    """`{{ $labels.x }}` is empty where an aggregation dropped the label."""
    for rule in rules():
        kept = re.findall(r"sum by \(([a-z, ]+)\)", rule["expr"])
        for label in re.findall(r"\$labels\.([a-z_]+)", " ".join(rule["annotations"].values())):
            assert not kept or any(label in names for names in kept), rule["alert"]


@pytest.mark.parametrize("opening, closing", ["()", "{}", "[]"])
def test_brackets_of_the_expressions_close(opening, closing):
    for expression in expressions():
        assert expression.count(opening) == expression.count(closing), expression


def test_histograms_are_asked_for_by_their_bounds(said):
    for expression in expressions():
        for name in re.findall(r"histogram_quantile\([^,]+, sum by \(le[a-z, ]*\) \(rate\((\w+)", expression):
            assert name.endswith("_bucket") and "le" in said[name]


def test_every_panel_of_the_dashboard_is_whole():
    seen = set()
    places = []
    for panel in dashboard()["panels"]:
        assert panel["id"] not in seen
        seen.add(panel["id"])
        place = panel["gridPos"]
        assert place["x"] >= 0 and place["x"] + place["w"] <= 24
        places.append((place["x"], place["x"] + place["w"], place["y"], place["y"] + place["h"]))
    for panel in panels():
        assert panel["description"] and panel["targets"] and panel["datasource"]["uid"] == "${datasource}"
        assert all(target["expr"] and target["refId"] for target in panel["targets"])
    overlapping = [
        (one, other)
        for n, one in enumerate(places)
        for other in places[n + 1 :]
        if one[0] < other[1] and other[0] < one[1] and one[2] < other[3] and other[2] < one[3]
    ]
    assert overlapping == []


def test_the_dashboard_asks_only_for_variables_that_it_has():
    names = {variable["name"] for variable in dashboard()["templating"]["list"]}
    asked = set(
        re.findall(r"\$\{?([a-z_]+)", " ".join(target["expr"] for panel in panels() for target in panel["targets"]))
    )
    assert asked - {"__rate_interval"} <= names
