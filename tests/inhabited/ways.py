"""The journeys of an inhabited installation, and how far everybody went in them."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from analytics.management.commands.demo import JOURNEYS
from contacts.models import Contact
from delivery.models import Message, Template
from tests.inhabited.people import HOSTILE
from tests.inhabited.post import write_outcome
from workflows import importing
from workflows.definition import reading
from workflows.models import DeadLetter, Enrolment, EntryRefusal, JournalEntry, SalesTask, Workflow

SAMPLES = Path(__file__).resolve().parents[2] / "workflows" / "samples"


def publish(now: datetime) -> dict[str, Workflow]:
    for name in JOURNEYS:
        document = reading.read((SAMPLES / f"{name}.yaml").read_text())
        importing.import_document(document, by="maya", publish=True, now=now - timedelta(days=6))
    broken = {
        "schema": 1,
        "name": f"Winter sale {HOSTILE}",
        "slug": "winter-sale",
        "entry": {
            "trigger": {
                "type": "event",
                "event": "order_completed",
                "where": {"field": "event.total", "op": "bigger", "value": 5},
            }
        },
        "start": "offer",
        "steps": {
            "offer": {
                "type": "send_email",
                "name": "Offer",
                "config": {"template": "no-such-template"},
                "next": {"next": "pause"},
            },
            "pause": {
                "type": "wait",
                "name": "Three more days",
                "config": {"mode": "duration"},
                "next": {"next": "gone"},
            },
            "lonely": {"type": "add_tag", "name": "Lonely", "config": {"tag": "lonely"}, "next": {"next": None}},
        },
    }
    importing.import_document(broken, by="maya", publish=False, now=now)
    second = Workflow.objects.get(slug="first-order")
    second.draft = {**second.draft, "settings": {**second.draft.get("settings", {}), "priority": 8}}
    second.draft_revision += 1
    second.save()
    Workflow.objects.filter(slug="large-order").update(status="paused")
    return {workflow.slug: workflow for workflow in Workflow.objects.select_related("live_version")}


def walk(now: datetime, people: list[Contact], journeys: dict[str, Workflow]) -> dict[str, Message]:
    """Enrolments in every state, their journals, and a message for each that came to send one."""
    journey = journeys["first-order"]
    version = journey.live_version
    assert version is not None
    thanks = Template.objects.get(slug="thank-you").live_version
    states = ["waiting", "completed", "completed", "exited", "waiting", "pending", "failed", "completed", "active"]
    named: dict[str, Message] = {}
    for n, person in enumerate(people):
        state = states[n % len(states)]
        entered = now - timedelta(hours=3 * n + 1)
        finished = state in {"completed", "exited", "failed"}
        enrolment = Enrolment.objects.create(
            workflow=journey,
            version=version,
            contact_id=person.pk,
            lane="urgent",
            state=state,
            step={"waiting": "settle", "completed": "nudge", "exited": "settle", "failed": "opened"}.get(
                state, "thanks"
            ),
            seq=3 if finished else 2,
            wake_at=now + timedelta(days=2) if state == "waiting" else now,
            waiting_since=entered if state == "waiting" else None,
            entered_at=entered,
            finished_at=entered + timedelta(minutes=50) if finished else None,
            exit_reason={"exited": "disqualified", "completed": "completed", "failed": "failed"}.get(state, ""),
            once=True,
            entry_event_id=n + 1,
            trigger={"total": 19.5 + n, "order_id": f"A{n}"},
        )
        if state in {"pending", "active"}:
            continue
        way = [
            ("thanks", "send_email", "advanced", "next", {"template_version": thanks.pk}),
            ("settle", "wait", "waiting", "", {"local": "2025-11-24 09:00", "zone": person.timezone or "UTC"}),
        ]
        way += [
            (
                "opened",
                "branch",
                "failed" if state == "failed" else "advanced",
                "" if state == "failed" else "else",
                {"error": "KeyError"} if state == "failed" else {},
            )
        ] * (state in {"completed", "failed"})
        JournalEntry.objects.bulk_create(
            JournalEntry(
                enrolment_id=enrolment.pk,
                seq=seq,
                contact_id=person.pk,
                version_id=version.pk,
                step=step,
                step_type=kind,
                outcome=outcome,
                port=port,
                detail=detail,
                at=entered + timedelta(seconds=20 * seq),
            )
            for seq, (step, kind, outcome, port, detail) in enumerate(way, start=1)
        )
        if state == "failed":
            DeadLetter.objects.create(
                enrolment_id=enrolment.pk,
                workflow_id=journey.pk,
                version_id=version.pk,
                contact_id=person.pk,
                step="opened",
                seq=3,
                category="permanent",
                error="KeyError",
                attempts=2,
                failed_at=enrolment.finished_at,
            )
        message = Message.objects.create(
            contact_id=person.pk,
            channel="email",
            template_version=thanks,
            message_class="marketing",
            lane="urgent",
            idempotency_key=f"enrolment:{enrolment.pk}:1",
            context={"trigger": {"total": 19.5 + n}},
            workflow_id=journey.pk,
            version_id=version.pk,
            step="thanks",
            enrolment_id=enrolment.pk,
            created_at=entered + timedelta(seconds=20),
        )
        named.setdefault(write_outcome(n, message, person, now), message)
    SalesTask.objects.bulk_create(
        SalesTask(
            enrolment_id=1,
            seq=n + 1,
            contact_id=person.pk,
            workflow_id=journey.pk,
            owner_email=["maya@example.com", "", "a.very.long.name.of.an.owner@sales.department.example"][n % 3],
            message=f"Call {person.email} about the offer.\n\n{HOSTILE} " + "Tell them more. " * n,
            made_at=now - timedelta(hours=n),
            done_at=now if n % 4 == 3 else None,
            done_by="maya" if n % 4 == 3 else "",
        )
        for n, person in enumerate(people)
    )
    EntryRefusal.objects.bulk_create(
        EntryRefusal(workflow_id=journey.pk, contact_id=person.pk, event_id=1, reason=reason, refused_at=now)
        for person, reason in zip(people, ["re_entry", "audience", "paused", "re_entry"], strict=False)
    )
    return named
