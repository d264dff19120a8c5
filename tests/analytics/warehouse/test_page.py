"""The page of the warehouse, as it is served."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission, User
from django.urls import reverse

from analytics.models import WarehouseRun
from analytics.warehouse import runs

pytestmark = pytest.mark.django_db

PAGE = "admin:analytics_warehouserun_changelist"
RESULTS = [
    {"kind": "model", "model": "funnel", "state": "success", "rows": 7, "seconds": 0.5},
    {"kind": "model", "model": "stg_events", "state": "success", "rows": 10_000_000, "seconds": 61.25},
    {"kind": "test", "model": "unique_funnel_stage", "state": "pass", "rows": None, "seconds": 0.1},
    {"kind": "source", "model": "contact_events", "state": "warn", "rows": None, "seconds": 0.1},
]


@pytest.fixture
def reader(client):
    """Somebody who may look, and no more."""
    user = User.objects.create_user("reader", password="x", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_warehouserun"))
    client.force_login(user)
    return client


def built(now, *, problem: str = "", results=RESULTS) -> None:
    run_id = runs.ask("by_hand", now=now, by="ada")
    runs.take(run_id, rules="{}", now=now)
    runs.end(run_id, now=now, problem=problem, results=results)


def text(response) -> str:
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def test_before_the_first_build_it_says_so(admin_client):
    page = text(admin_client.get(reverse(PAGE)))
    assert "Nothing was built yet" in page and "Build now" in page
    assert "None yet. In a terminal:" in page


def test_the_last_build_is_shown_with_its_slowest_model_first(admin_client, now):
    built(now)
    page = text(admin_client.get(reverse(PAGE)))
    assert page.index("stg_events") < page.index("<td>funnel</td>")
    assert "10,000,000" in page and "61.25 s" in page
    assert "All pass" in page and "Nothing new for days" in page


def test_a_failed_build_says_what_failed_and_what_the_reports_show(admin_client, now):
    built(now)
    broken = {**RESULTS[2], "state": "fail"}
    built(now, problem="unique_funnel_stage: Got 1 result", results=[broken])
    page = text(admin_client.get(reverse(PAGE)))
    assert "The last build failed: unique_funnel_stage: Got 1 result" in page
    assert "The reports keep what was built before." in page and "Not all pass" in page


def test_the_button_asks_for_one_run(admin_client, monkeypatch, django_capture_on_commit_callbacks):
    rung = []
    monkeypatch.setattr("contacts.doorbell.ring", lambda task, lane: rung.append((task, lane)))
    with django_capture_on_commit_callbacks(execute=True):
        for _ in range(2):
            response = admin_client.post(reverse("admin:analytics_warehouserun_build"), follow=True)
    assert "It is being built already." in text(response)
    assert [(run.kind, run.state, run.requested_by) for run in WarehouseRun.objects.all()] == [
        ("by_hand", "queued", "admin")
    ]
    assert rung == [("analytics.build_warehouse", "housekeeping")]
    assert "Build now" not in text(response)


def test_everything_anew_is_a_choice(admin_client):
    admin_client.post(reverse("admin:analytics_warehouserun_build"), {"everything": "1"})
    assert WarehouseRun.objects.get().kind == "full_refresh"


def test_progress_is_told_while_there_is_any(reader, now):
    address = reverse("admin:analytics_warehouserun_progress")
    assert reader.get(address).json() == {"open": False, "percent": 0, "words": ""}
    run_id = runs.ask("by_hand", now=now)
    assert reader.get(address).json() == {"open": True, "percent": 0, "words": "Waiting for its turn"}
    runs.take(run_id, rules="{}", now=now)
    runs.note(run_id, now=now, said="funnel", done=42, total=168)
    assert reader.get(address).json() == {"open": True, "percent": 25, "words": "42 of 168 models and tests"}
    assert 'value="25"' in text(reader.get(reverse(PAGE)))


def test_who_may_only_look_builds_nothing(reader):
    assert "Build now" not in text(reader.get(reverse(PAGE)))
    assert reader.post(reverse("admin:analytics_warehouserun_build")).status_code == 403
    assert not WarehouseRun.objects.exists()


def test_strangers_see_nothing(client):
    client.force_login(User.objects.create_user("stranger", password="x", is_staff=True))
    assert client.get(reverse(PAGE)).status_code == 403
    assert client.get(reverse("admin:analytics_warehouserun_progress")).status_code == 403


@pytest.mark.parametrize("method", ["get", "put"])
def test_a_build_is_asked_for_by_post_alone(admin_client, method):
    assert getattr(admin_client, method)(reverse("admin:analytics_warehouserun_build")).status_code == 403
