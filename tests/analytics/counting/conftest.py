"""A journey that is counted by templates and variants."""

from __future__ import annotations

import pytest

from tests import journeys
from tests.journeys import definition, step
from workflows.models import Workflow

VARIANTS = [{"key": "story", "weight": 50}, {"key": "offer", "weight": 50}]


def document(**changes) -> dict:
    steps = {
        "welcome": step("send_email", {"next": "split"}, template="welcome"),
        "split": step("experiment", {"story": "tour", "offer": "pause"}, experiment="words", variants=VARIANTS),
        "tour": step("send_email", {"next": "pause"}, template="tour"),
        "pause": step("wait", {"next": "won"}, mode="duration", **{"for": "P3D"}),
        "won": step("goal", {"next": "bye"}, name="won"),
        "bye": step("send_email", template="welcome"),
    }
    return definition({key: each for key, each in (steps | changes).items() if each})


@pytest.fixture
def split() -> Workflow:
    """Twelve contacts: all got `welcome`, some the `story` and its mail, the others the `offer`; they stand at
    `pause`."""
    for slug in ("welcome", "tour"):
        journeys.template(slug)
    journeys.publish(document())
    journeys.track(journeys.contacts(12), "signed_up")
    journeys.run()
    return Workflow.objects.get(slug="journey")
