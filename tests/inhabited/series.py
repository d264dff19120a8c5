"""A journey that some hundreds go through: the welcome series, with everybody somewhere in it, for pages that are
looked at. Nobody here is hostile, and chance is seeded: it is the same journey every time."""

from __future__ import annotations

import hashlib
import random
from datetime import datetime, timedelta
from typing import Any

from contacts.models import Contact
from delivery.models import Feedback, Message, SendLogEntry, TemplateVersion
from workflows import gallery, importing
from workflows.models import Enrolment, JournalEntry, Workflow

KINDS = {"hello": "send_email", "tour": "send_email", "again": "send_email", "story": "send_email",
         "settle": "wait", "pause": "wait", "morning": "wait", "opened": "branch"}  # fmt: skip
FIRST = ["Ada", "Ben", "Carla", "David", "Elif", "Femi", "Greta", "Hugo", "Ines", "Jonas", "Kaya", "Lena", "Mateo"]
LAST = ["Fischer", "Okafor", "Silva", "Novak", "Haas", "Lindqvist", "Moreau", "Bianchi", "Park", "Walsh", "Roth"]
ZONES = ["Europe/Berlin", "Europe/Lisbon", "America/New_York", "Asia/Seoul", "Africa/Lagos", "Europe/Paris"]


def publish(now: datetime) -> Workflow:
    document = gallery.document_of("welcome-series")
    importing.import_document(document, by="maya", publish=True, now=now - timedelta(days=12))
    return Workflow.objects.select_related("live_version").get(slug="welcome-series")


def walk(series: Workflow, *, now: datetime, count: int = 240) -> None:
    dice = random.Random(8)
    version = series.live_version
    assert version is not None
    people = _settle(dice, now, count)
    letters = {
        step: TemplateVersion.objects.get(template__slug=each["config"]["template"], number=1).pk
        for step, each in version.definition["steps"].items()
        if each["type"] == "send_email"
    }
    ways = [_way(dice) for _ in people]
    enrolments = Enrolment.objects.bulk_create(
        _enrolment(dice, person, way, version.pk, series.pk, now) for person, way in zip(people, ways, strict=True)
    )
    journal: list[JournalEntry] = []
    messages: list[Message] = []
    for enrolment, (rows, *_) in zip(enrolments, ways, strict=True):
        for seq, (step, outcome, port) in enumerate(rows, start=1):
            at = min(now, enrolment.entered_at + timedelta(hours=20 * (seq - 1), seconds=2))
            journal.append(
                JournalEntry(
                    enrolment_id=enrolment.pk, seq=seq, contact_id=enrolment.contact_id, version_id=version.pk,
                    step=step, step_type=KINDS[step], outcome=outcome, port=port, detail={}, at=at,
                )
            )  # fmt: skip
            if step in letters:
                messages.append(
                    Message(
                        contact_id=enrolment.contact_id, channel="email", template_version_id=letters[step],
                        message_class="marketing", lane="urgent", idempotency_key=f"enrolment:{enrolment.pk}:{seq}",
                        workflow_id=series.pk, version_id=version.pk, step=step, enrolment_id=enrolment.pk,
                        created_at=at,
                    )
                )  # fmt: skip
    JournalEntry.objects.bulk_create(journal)
    _post(dice, Message.objects.bulk_create(messages))


def _settle(dice: random.Random, now: datetime, count: int) -> list[Contact]:
    names = [(dice.choice(FIRST), dice.choice(LAST)) for _ in range(count)]
    return Contact.objects.bulk_create(
        Contact(
            email=f"{first}.{last}{n}@example.com".lower(), timezone=dice.choice(ZONES), locale="en",
            attributes={"first_name": first, "last_name": last}, created_at=now - timedelta(hours=n),
            updated_at=now - timedelta(hours=n),
        )
        for n, (first, last) in enumerate(names)
    )  # fmt: skip


def _way(dice: random.Random) -> tuple[list[tuple[str, str, str]], str, str, str]:
    """The journal's rows (step, outcome, port); the step where they stand, the state, and why they left."""
    rows = [("hello", "advanced", "next"), ("settle", "waiting", "")]
    chance = dice.random()
    if chance < 0.16:
        return rows, "settle", "waiting", ""
    if chance < 0.22:
        return rows, "settle", "exited", "goal"
    port = "yes" if dice.random() < 0.62 else "else"
    rows += [("settle", "advanced", "next"), ("opened", "advanced", port)]
    rows += [("tour" if port == "yes" else "again", "advanced", "next"), ("pause", "waiting", "")]
    chance = dice.random()
    if chance < 0.21:
        return rows, "pause", "waiting", ""
    if chance < 0.31:
        return rows, "pause", "exited", "goal"
    rows += [("pause", "advanced", "next"), ("morning", "waiting", "")]
    if dice.random() < 0.11:
        return rows, "morning", "waiting", ""
    rows += [("morning", "advanced", "next"), ("story", "advanced", "next")]
    return rows, "story", "completed", ""


def _enrolment(dice: random.Random, person: Contact, way: Any, version_id: int, workflow_id: int, now: datetime):
    rows, step, state, reason = way
    entered = now - timedelta(hours=20 * len(rows) + dice.uniform(0.1, 90))
    waits = state == "waiting"
    return Enrolment(
        workflow_id=workflow_id, version_id=version_id, contact_id=person.pk, lane="urgent", state=state, step=step,
        seq=len(rows), wake_at=now + timedelta(hours=dice.uniform(1, 60)) if waits else now,
        waiting_since=entered + timedelta(hours=1) if waits else None, entered_at=entered,
        finished_at=None if waits else entered + timedelta(hours=20 * len(rows)), exit_reason=reason, once=True,
    )  # fmt: skip


def _post(dice: random.Random, messages: list[Message]) -> None:
    """Most are delivered, fewer opened, and fewer clicked; some are not sent, for a reason."""
    log: list[SendLogEntry] = []
    feedback: list[Feedback] = []
    for message in messages:
        at = message.created_at + timedelta(seconds=2)
        common = {"message": message, "contact_id": message.contact_id, "channel": "email",
                  "workflow_id": message.workflow_id, "at": at}  # fmt: skip
        chance = dice.random()
        if chance < 0.05:
            kind, reason = ("capped", "frequency_cap") if chance < 0.03 else ("suppressed", "unsubscribe")
            log.append(SendLogEntry(kind=kind, reason=reason, **common))
            continue
        log.append(SendLogEntry(kind="claimed", attempt=1, provider="sandbox", cap_delta=1, counts_at=at, **common))
        log.append(SendLogEntry(kind="accepted", attempt=1, provider="sandbox", provider_code=202, **common))
        for minutes, what, share in ((1, "delivered", 0.985), (40, "opened", 0.52), (44, "clicked", 0.3)):
            if dice.random() > share:
                break
            feedback.append(
                Feedback(
                    message_id=message.pk, kind=what, occurred_at=at + timedelta(minutes=minutes),
                    recorded_at=at + timedelta(minutes=minutes), provider="sandbox",
                    dedup_hash=hashlib.blake2b(f"{message.pk}{what}".encode(), digest_size=16).digest(),
                )
            )  # fmt: skip
    SendLogEntry.objects.bulk_create(log)
    Feedback.objects.bulk_create(feedback)
