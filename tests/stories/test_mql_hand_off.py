"""The sample "MQL hand-off" with real processes: events over HTTP make somebody marketing qualified, and the owner is
told of it once, with the reasons of the score."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.conf import settings
from django.db import transaction

from contacts import clock, transactions, upserting
from contacts.upserting import Person
from delivery.models import SandboxMail
from scoring.models import LifecycleEvent, ScoreCrossing
from scoring.rulesets import versions
from tests.stories.fleet import Installation
from tests.stories.test_first_journey import key  # noqa: F401  (a fixture)
from workflows import importing
from workflows.definition import reading
from workflows.models import SalesTask

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(180)]

SAMPLE = Path(settings.BASE_DIR) / "workflows" / "samples" / "mql-hand-off.yaml"
RULES = [
    {"name": "Visited pricing", "signal": {"event": "pricing_viewed"}, "points": 25},
    {"name": "Director", "signal": {"field": "job_title", "op": "contains", "value": "Director"}, "points": 20},
]


def test_the_owner_of_whoever_becomes_marketing_qualified_is_told_why(tmp_path, key):  # noqa: F811
    with transaction.atomic():
        versions.activate(rules=RULES, now=clock.now())
    importing.import_document(
        reading.read(SAMPLE.read_text(encoding="utf-8")), by="test", publish=True, now=clock.now()
    )
    ada = Person({"email": "ada@example.com", "owner_email": "maya@example.com"}, {"job_title": "Director of Sound"})
    bob = Person({"email": "bob@example.com", "owner_email": "maya@example.com"})
    transactions.run(lambda now: upserting.upsert([ada, bob], source="import", now=now))
    with Installation(tmp_path, speed=1.0) as installation:
        for number in range(2):
            events = [
                {"event_id": f"{who}{number}", "type": "pricing_viewed", "contact": {"email": f"{who}@example.com"}}
                for who in ("ada", "bob")
            ]
            status, body, _ = installation.request(
                "POST",
                "/api/v1/events",
                json.dumps({"events": events}).encode(),
                Authorization=f"Bearer {key}",
                Content_Type="application/json",
            )
            assert status == 202, body
        installation.process("urgent").kill()
        installation.until(lambda: SandboxMail.objects.exists(), "the mail to the owner")
    assert [crossing.score for crossing in ScoreCrossing.objects.all()] == [70.0]
    assert LifecycleEvent.objects.get().to_stage == "mql"
    task, mail = SalesTask.objects.get(), SandboxMail.objects.get()
    assert task.owner_email == mail.to_address == "maya@example.com"
    assert "ada@example.com is an MQL now, with 70 points." in task.message
    assert "Why: Visited pricing (2 times, +50); Director (+20)" in task.message
    assert mail.text.startswith(task.message)
