"""Whoever is told of trouble finds what to do about it: in the runbook, by the name that the alert gives."""

import re
from pathlib import Path

import pytest
import yaml
from django.conf import settings

from analytics.health import alerts
from analytics.pages import runbook

ROOT = Path(settings.BASE_DIR)
RULES = [
    rule
    for group in yaml.safe_load((ROOT / "docs/operations/prometheus-rules.yml").read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
]


def anchors(path: str) -> set[str]:
    """Of the headings of a page."""
    titles = re.findall(r"^#+ (.+)$", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") for title in titles}


@pytest.mark.parametrize("name", [source.name for source in alerts.sources()])
def test_what_the_product_tells_of_has_a_section(name):
    section = next((each for each in runbook.read() if each.anchor == name), None)
    assert section is not None and section.title and len(section.blocks) >= 1


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_what_prometheus_tells_of_has_a_section(rule):
    path, _, anchor = rule["annotations"]["runbook"].partition("#")
    assert anchor in anchors(path)


def test_every_section_is_of_something_that_is_told():
    named = {source.name for source in alerts.sources()}
    named |= {rule["annotations"]["runbook"].partition("#")[2] for rule in RULES}
    assert {section.anchor for section in runbook.read()} <= named
