"""A workflow with a past: enrolments, journal, messages and feedback that came about through the doors."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import journeys
from tests.journeys import definition, step
from workflows.models import Workflow


@pytest.fixture
def lived() -> Workflow:
    """Six contacts: all are welcomed; two come to the end at once, four stand at a wait; three try to enter again."""
    journeys.template("welcome")
    arms = [{"key": "yes", "if": {"field": "vip", "op": "eq", "value": True}}]
    journeys.publish(
        definition(
            {
                "welcome": step("send_email", {"next": "vip"}, template="welcome"),
                "vip": step("branch", {"yes": None, "else": "pause"}, arms=arms),
                "pause": step("wait", {"next": "tag"}, mode="duration", **{"for": "P3D"}),
                "tag": step("add_tag", tag="seen"),
            }
        )
    )
    vips = journeys.contacts(2, attributes={"vip": True})
    others = journeys.contacts(4)
    journeys.track([*vips, *others], "signed_up", key="first")
    journeys.run()
    journeys.track(others[:3], "signed_up", key="second")
    journeys.run()
    return Workflow.objects.get(slug="journey")


@pytest.fixture(scope="session")
def dbt_state(tmp_path_factory) -> Path:
    """One for all builds of a session: what dbt has understood of its project it need not read again."""
    return tmp_path_factory.mktemp("warehouse")
