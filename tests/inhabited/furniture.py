"""A row of every kind that a page shows and that a lively installation (`tests/browser/installation.py`) has not."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction

from analytics.models import ProviderAnswer, WarehouseRun
from contacts.models import Contact, ImportPreset, ImportRun, SeenEvent
from delivery.authoring import templates
from delivery.authoring.blocks import starters
from delivery.models import PushDevice, StaffNotice, WebhookDelivery
from scoring.models import ProgressionRule, ProgressionRun, StageLabel
from tests.journeys import definition, step
from workflows import publishing
from workflows.models import EditPlan, Enrolment, EntryRun, Rehearsal, WebhookCall, Workflow


def furnish(now: datetime) -> None:
    with transaction.atomic():
        _people(now)
        _post(now)
        _journeys(now)
        _machines(now)


def _people(now: datetime) -> None:
    ImportPreset.objects.create(name="As in the CRM", mapping={"columns": {}, "key": ""})
    ImportRun.objects.create(name="old.csv", digest=b"x", size=9, state="stopped", fault="It broke", actor="maya")
    SeenEvent.objects.bulk_create(
        (
            SeenEvent(event_type=name, property=of, value_type="string" * bool(of), first_seen_at=now, last_seen_at=now)
            for name in ("trolley_filled", "page_left")
            for of in ("", "path")
        ),
        ignore_conflicts=True,
    )
    ProgressionRule.objects.create(
        key="asked", name="Asked", cause={"event": "asked"}, from_stages=["", "lead"], to_stage="mql", changed_by="maya"
    )
    ProgressionRun.objects.create(rule_key="asked", asked_by="maya", asked_at=now)
    StageLabel.objects.create(stage="mql", label="Qualified")


def _post(now: datetime) -> None:
    body = [dict(block) for block in starters.starter("welcome").blocks]
    templates.save_version(
        slug="made-of-blocks", name="Blocks", subject="S", preheader="P", source={"kind": "blocks", "body": body},
        saved_by="maya", now=now,
    )  # fmt: skip
    PushDevice.objects.create(
        contact_id=Contact.objects.earliest("id").pk, kind="webpush", target="https://push.example/1", agent="Lynx",
        created_at=now, seen_at=now, gone_at=now, gone_why="410",
    )  # fmt: skip
    StaffNotice.objects.create(
        idempotency_key="one", lane="urgent", to_address="maya@example.com", subject="S", text="T", due_at=now,
        state="rejected", reason="Refused", created_at=now, finished_at=now,
    )  # fmt: skip
    WebhookDelivery.objects.create(provider="sendgrid", body=b"[]", received_at=now, folded_at=now, error="Broken")


def _journeys(now: datetime) -> None:
    steps = {
        "tell": step("notify_sales", {"next": "leave"}, message="Call them"),
        "leave": {**step("exit", {}, reason="told"), "name": "Enough"},
    }
    publishing.save_draft(definition={**definition(steps, slug="told"), "name": "Told"}, now=now)
    publishing.publish(slug="told", by="maya", note="At last", now=now)
    workflow = Workflow.objects.select_related("live_version").get(slug="told")
    version = workflow.live_version
    assert version is not None
    EditPlan.objects.create(
        workflow=workflow,
        to_version=version,
        decisions=[],
        state="applied",
        made_by="maya",
        made_at=now,
        finished_at=now,
    )
    EntryRun.objects.create(
        workflow=workflow, version=version, kind="manual", properties={"why": "so"}, up_to=1, state="done",
        started_by="maya", started_at=now, finished_at=now,
    )  # fmt: skip
    enrolment = Enrolment.objects.filter(state="waiting").earliest("id")
    WebhookCall.objects.create(
        enrolment_id=enrolment.pk, seq=1, contact_id=enrolment.contact_id, workflow_id=enrolment.workflow_id,
        step="settle", lane="urgent", method="POST", url="https://crm.example/", body="{}", state="failed",
        reason="refused", due_at=now, finished_at=now,
    )  # fmt: skip
    Rehearsal.objects.create(
        workflow=workflow, since=now - timedelta(days=7), until=now, state="failed", error="It broke", asked_by="maya",
        asked_at=now, finished_at=now,
    )  # fmt: skip


def _machines(now: datetime) -> None:
    ProviderAnswer.objects.create(day=now.date(), provider="sendgrid", outcome="rejected", code="550", amount=3)
    WarehouseRun.objects.create(
        kind="by_hand", state="failed", requested_at=now, requested_by="maya", said="Of 9", problem="It broke",
        finished_at=now,
    )  # fmt: skip
