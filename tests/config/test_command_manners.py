"""Commands tell their results as JSON, and a dry run leaves everything as it is."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection

from contacts import transactions
from contacts.models import Contact
from delivery.models import Suppression
from workflows.models import Workflow

SAMPLE = Path(settings.BASE_DIR) / "workflows" / "samples" / "abandoned-cart.yaml"


def told(name: str, *arguments: str) -> dict[str, Any]:
    """What `--json` prints: one object, on a line of its own."""
    out = StringIO()
    call_command(name, *arguments, "--json", stdout=out, stderr=StringIO())
    (line,) = out.getvalue().splitlines()
    return json.loads(line)


@pytest.fixture
def people(tmp_path: Path) -> str:
    path = tmp_path / "people.csv"
    path.write_text("email,first_name\nada@example.com,Ada\nbob@example.com,Bob\n", encoding="utf-8")
    return str(path)


@pytest.mark.django_db
def test_an_import_that_is_tried_brings_nobody(people):
    assert told("import_contacts", people, "--dry-run") == {
        "dry_run": True, "created": 2, "updated": 0, "unchanged": 0, "refused": 0,
    }  # fmt: skip
    assert not Contact.objects.exists()
    assert told("import_contacts", people)["created"] == 2
    assert told("import_contacts", people)["unchanged"] == 2


@pytest.mark.django_db
def test_an_erasure_that_is_tried_says_how_much_would_go_and_leaves_it(people):
    told("import_contacts", people)
    tried = told("erase_contact", "ada@example.com", "--dry-run")
    assert not tried["erased"] and sum(tried["rows"].values()) > 0
    assert Contact.objects.get(email="ada@example.com").erased_at is None
    done = told("erase_contact", "ada@example.com", "--yes")
    assert done == {"erased": True, "rows": tried["rows"]}
    with pytest.raises(CommandError, match="no such contact"):
        told("erase_contact", "ada@example.com", "--dry-run")


@pytest.mark.django_db
def test_suppressions_that_are_tried_suppress_nobody(tmp_path):
    path = tmp_path / "gone.csv"
    path.write_text("address,reason\nada@example.com,complaint\nnobody,complaint\n", encoding="utf-8")
    tried = told("import_suppressions", str(path), "--dry-run")
    assert (tried["added"], tried["refused"], tried["dry_run"]) == (1, 1, True)
    assert not Suppression.objects.exists()
    assert told("import_suppressions", str(path))["added"] == 1
    assert Suppression.objects.count() == 1


@pytest.mark.django_db
def test_a_journey_that_is_tried_is_not_stored():
    tried = told("import_workflow", str(SAMPLE), "--publish", "--dry-run")
    assert (tried["slug"], tried["version"], tried["stored"]) == ("abandoned-cart", 1, False)
    assert not Workflow.objects.exists()
    assert told("import_workflow", str(SAMPLE), "--publish")["stored"]
    assert Workflow.objects.get().slug == "abandoned-cart"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("rebuild_counters", "differences"),
        ("rebuild_tallies", "wrong"),
        ("rebuild_segments", "wrong"),
        ("rebuild_timers", "waits"),
        ("rebuild_delays", "facts"),
        ("replay_dead_letters", "left"),
        ("retime", "looked_at"),
        ("reseal_secrets", "done"),
    ],
)
def test_what_can_be_tried_first_says_what_it_found(name, said):
    assert said in told(name, "--dry-run")


@pytest.mark.django_db
def test_what_is_tried_out_is_taken_back_and_tells_its_result(now):
    def work(now: Any) -> int:
        Contact.objects.create(email="ada@example.com", created_at=now, updated_at=now)
        return Contact.objects.count()

    assert transactions.try_out(work) == 1
    assert not Contact.objects.exists()
    assert not connection.needs_rollback
