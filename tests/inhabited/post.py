"""The post office of an inhabited installation: what became of each message, and who is not written to."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from contacts.models import Contact
from delivery.models import (
    Address,
    Feedback,
    Message,
    OutboxEntry,
    Provider,
    SandboxMail,
    SendLogEntry,
    Suppression,
    Template,
)
from scoring.models import LifecycleEvent
from tests.inhabited.people import HOSTILE


def write_outcome(n: int, message: Message, person: Contact, now: datetime) -> str:
    """Write what became of the message; says what it was."""
    kind, reason, code, said = [
        ("accepted", "", 202, "queued for delivery"),
        ("accepted", "", 202, ""),
        ("capped", "frequency_cap", None, ""),
        ("suppressed", "unsubscribe", None, ""),
        ("accepted", "", 202, ""),
        ("rejected", "rejected", 400, f"The to address is not valid {HOSTILE}"),
        ("in_doubt", "", 504, "upstream timed out"),
        ("queued", "", None, ""),
    ][n % 8]
    gate = {"per_day": 1, "per_week": 3, "sent_day": 1, "sent_week": 2, "place_in_line": 1}
    at = message.created_at + timedelta(seconds=1)
    address = Address.objects.create(
        channel="email", key_hash=hashlib.sha256(person.email.encode()).digest(), shown=person.email, created_at=at
    )
    common = {
        "message": message,
        "contact_id": person.pk,
        "address_id": address.pk,
        "channel": "email",
        "workflow_id": message.workflow_id,
    }
    if kind in {"queued", "in_doubt"}:
        OutboxEntry.objects.create(
            message=message,
            state=kind,
            lane="urgent",
            priority=7,
            contact_id=person.pk,
            due_at=at,
            address_id=None if kind == "queued" else address.pk,
            lease_until=None if kind == "queued" else at,
        )
    if kind not in {"queued", "capped", "suppressed"}:
        SendLogEntry.objects.create(
            kind="claimed",
            attempt=1,
            provider="sandbox",
            evidence={**gate, "sent_day": 0},
            cap_delta=1,
            counts_at=at,
            at=at,
            **common,
        )
    if kind != "queued":
        SendLogEntry.objects.create(
            kind=kind,
            reason=reason,
            attempt=0 if kind in {"capped", "suppressed"} else 1,
            at=at + timedelta(seconds=1),
            provider="" if kind in {"capped", "suppressed"} else "sandbox",
            provider_code=code,
            provider_said=said,
            evidence=gate if kind == "capped" else {"scope": "email"} if kind == "suppressed" else {},
            **common,
        )
    if kind == "accepted":
        for minutes, what, machine in ((1, "delivered", True), (4, "opened", n % 3 == 0), (6, "clicked", False)):
            Feedback.objects.create(
                message_id=message.pk,
                kind=what,
                occurred_at=at + timedelta(minutes=minutes),
                recorded_at=at + timedelta(minutes=minutes),
                is_machine=machine,
                provider="sandbox",
                detail={"url": "https://shop.example/"} if what == "clicked" else {},
                dedup_hash=hashlib.blake2b(f"{message.pk}{what}".encode(), digest_size=16).digest(),
            )
    return kind


def suppress(now: datetime, people: list[Contact], messages: dict[str, Message]) -> Suppression:
    addresses = list(Address.objects.order_by("id")[:12])
    reasons = ["unsubscribe", "hard_bounce", "complaint", "manual", "soft_bounce", "provider"]
    rows = [
        Suppression.objects.create(
            address=address,
            scope="all" if reasons[n % 6] in {"hard_bounce", "complaint"} else "email",
            reason=reasons[n % 6],
            source="webhook:sendgrid",
            created_at=now - timedelta(hours=n),
            message_id=messages["accepted"].pk if n == 0 else None,
            released_at=now if n == 5 else None,
            released_by="maya" if n == 5 else "",
        )
        for n, address in enumerate(addresses)
    ]
    Provider.objects.create(name="sandbox")
    Provider.objects.create(name="sendgrid", stopped_at=now, stopped_why="401: the API key was revoked")
    html = Template.objects.get(slug="thank-you").live_version.html
    SandboxMail.objects.bulk_create(
        SandboxMail(
            mid=message.public_id,
            to_address=people[n].email,
            subject="Thank you for your order",
            html=html,
            text="Thank you\n\nHello",
            headers={"List-Unsubscribe": "<https://example.com/u/x>"},
            received_at=now - timedelta(minutes=n),
            reacts_at=now if n % 2 else None,
            reaction="open" if n % 2 else "",
        )
        for n, message in enumerate(Message.objects.order_by("id")[:8])
    )
    LifecycleEvent.objects.bulk_create(
        LifecycleEvent(
            contact_id=person.pk,
            from_stage=before,
            to_stage=after,
            reason=reason,
            source="score",
            occurred_at=now - timedelta(hours=hours),
        )
        for person in people[:9]
        for before, after, reason, hours in (("", "lead", "first order", 30), ("lead", "mql", "score reached 60", 2))
    )
    return rows[0]
