"""Acceptance checks 42 and 43: what the gallery offers works from end to end; a file brings a journey back whole."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.urls import reverse

from contacts import access, clock
from tests.workflows.journey_tests.playing import LONG_AGO, failures
from workflows import gallery, scratch
from workflows.definition import reading, writing
from workflows.definition.validation import validate
from workflows.journey_tests import document, keeping, running
from workflows.models import Workflow

ADD = "/admin/workflows/workflow/add/"
KEYS = [sample.key for sample in gallery.samples()]


@pytest.fixture
def bells() -> None:
    """Doorbells ring here: a scratch answers them itself."""


@pytest.mark.timeout(300)
@pytest.mark.django_db(transaction=True)
def test_every_sample_opens_has_no_problems_and_runs_from_end_to_end(client, bells):
    """42. Each gallery sample opens, has 0 problems after its placeholders are chosen, and runs end to end in
    simulation: somebody enters each, in its own cases, and comes to an end of it."""
    client.force_login(User.objects.create_superuser("lead"))
    tests = {}
    for key in KEYS:
        assert client.post(ADD, {"begin": "sample", "sample": key}).status_code == 302, key
        workflow = Workflow.objects.latest("id")
        opened = client.get(reverse("admin:workflows_workflow_change", args=[workflow.pk])).content.decode()
        assert all(f'id="card-{step}"' in opened for step in workflow.draft["steps"]), key
        assert validate(workflow.draft) == [], key
        tests[key] = document.understand(keeping.file_of(workflow, keeping.kept(workflow.pk)))
    with scratch.open_scratch(now=LONG_AGO) as room:  # a database of its own
        for key, found in tests.items():
            outcomes = list(running.run(found, room))
            assert outcomes and [failures(outcome) for outcome in outcomes] == [[] for _ in outcomes], key


@pytest.mark.django_db
@pytest.mark.parametrize("form", writing.FORMATS)
def test_a_file_brings_the_same_definition_back(client, form):
    """43. YAML export then import gives the same definition (and so does JSON)."""
    client.force_login(User.objects.create_superuser("lead"))
    with transaction.atomic():
        key = access.create_key(name="Files", kind="secret", scopes=["workflows:read"], now=clock.now())
    headers = {"Authorization": f"Bearer {key}"}
    for sample in KEYS:
        client.post(ADD, {"begin": "sample", "sample": sample})
        workflow = Workflow.objects.latest("id")
        before = workflow.draft
        exported = client.get(f"/api/v1/workflows/{workflow.slug}/export?format={form}", headers=headers)
        assert exported.status_code == 200, (sample, exported.content)
        emptied = {**before, "name": "Another", "steps": {}}
        Workflow.objects.filter(pk=workflow.pk).update(draft=emptied)
        text = reverse("admin:workflows_workflow_text", args=[workflow.pk])
        given = {"draft": exported.content.decode(), "as": form, "revision": workflow.draft_revision}
        assert client.post(text, given).status_code == 302, sample
        workflow.refresh_from_db()
        assert workflow.draft == before == reading.read(exported.content.decode()), sample
