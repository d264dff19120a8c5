"""The page of a rehearsal: its map bears what its report counted, of the definition that was rehearsed."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from contacts import clock, transactions
from tests import journeys
from workflows import publishing
from workflows.models import Rehearsal, Workflow
from workflows.rehearsal import asking
from workflows.rehearsal.asked import OCCURRED, Asked

pytestmark = pytest.mark.django_db(transaction=True)
SINCE = datetime(2025, 3, 3, tzinfo=UTC)
STEPS: dict[str, Any] = {
    "size": journeys.step(
        "branch",
        {"big": "pause", "else": "tag"},
        arms=[{"key": "big", "if": {"field": "size", "op": "gte", "value": 5}}],
    ),
    "pause": journeys.step("wait", {"next": "tag"}, mode="duration", **{"for": "P5D"}),
    "tag": journeys.step("add_tag", tag="seen"),
}
OTHER = journeys.definition({"other": journeys.step("add_tag", tag="other")})


@pytest.fixture
def maya(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("maya"))
    return client


def rehearsed(*, version: int | None) -> Rehearsal:
    """Three small and one big sign up on the first of two days."""
    for name, size in (("ada", 1), ("ben", 2), ("cem", 3), ("dag", 9)):
        contact = journeys.contact(f"{name}@example.com", attributes={"size": size})
        journeys.track(contact.pk, "signed_up", occurred_at=SINCE + timedelta(hours=1))
    asked = Asked("journey", since=SINCE, until=SINCE + timedelta(days=2), version=version, clock=OCCURRED)
    row = transactions.run(lambda now: asking.ask(asked, by="maya", now=now))
    Rehearsal.objects.update(state="running", beat_at=clock.now())  # as `start_one` leaves it, for this very process
    call_command("rehearse", run=str(row.public_id))
    row.refresh_from_db()
    assert row.state == "done", row.error
    return row


def page(client: Client, row: Rehearsal) -> Any:
    return client.get(reverse("admin:workflows_workflow_rehearsal_run", args=[row.workflow_id, row.pk]))


def shown(html: str) -> dict[str, str]:
    return dict(re.findall(r'data-n="([^"]+)">([^<]*)<', html))


def test_the_map_says_how_many_came_to_each_step_and_took_each_path(maya: Client) -> None:
    publishing.save_draft(definition=journeys.definition(STEPS), now=clock.now())
    row = rehearsed(version=None)
    publishing.save_draft(definition=OTHER, now=clock.now())  # what was rehearsed stays on its map
    seen = page(maya, row)
    drawn = seen.context["map"]
    assert {key: shown(html) for key, html in drawn["numbers"].items()} == {
        ".trigger": {"entered": "4"},
        "size": {"entered": "4"},
        "pause": {"entered": "1", "standing": "1"},
        "tag": {"entered": "3"},
    }
    assert {(arm.step, arm.port): words for arm, words in drawn["shares"].items()} == {
        ("size", "big"): "1 · 25%",
        ("size", "else"): "3 · 75%",
    }
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", seen.content.decode()))
    assert "From 3 Mar 2025, 00:00 UTC until 5 Mar 2025, 00:00 UTC : how many came" in text
    assert "the draft as it was then" in text


def test_a_version_is_drawn_as_it_was_published_and_a_report_without_steps_has_no_map(maya: Client) -> None:
    journeys.publish(journeys.definition({"tag": STEPS["tag"]}))
    row = rehearsed(version=1)
    publishing.save_draft(definition=OTHER, now=clock.now())
    seen = page(maya, row)
    assert set(seen.context["map"]["numbers"]) == {".trigger", "tag"}
    assert Workflow.objects.get(slug="journey").draft["steps"].keys() == {"other"}
    old = {name: value for name, value in row.report.items() if name not in {"steps", "definition"}}
    Rehearsal.objects.filter(pk=row.pk).update(report=old)
    seen = page(maya, row)
    assert seen.status_code == 200 and seen.context["map"] is None and b"On the map" not in seen.content
