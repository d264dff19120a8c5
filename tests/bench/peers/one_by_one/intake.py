"""`python -m tests.bench.peers.one_by_one.intake FIRST COUNT PEOPLE`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from tests.bench import turn


def take(element: Mapping[str, Any]) -> None:
    """Who is it, was it here before, store it, and enrol whom it brings in."""
    from django.db import connection, transaction
    from django.utils import timezone

    from contacts.models import ConsentRecord, Contact, ContactEvent, ContactIdentity, EventKey
    from workflows.models import Enrolment, EntryRefusal, ProcessedTrigger, WorkflowTrigger

    key_hash = hashlib.blake2b(element["event_id"].encode(), digest_size=16).digest()
    name = element["contact"]["external_id"]
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
        now = timezone.now()
        identity = ContactIdentity.objects.filter(kind="external_id", value=name).first()
        if identity is None:
            contact = Contact.objects.create(external_id=name)
            ContactIdentity.objects.create(kind="external_id", value=name, contact_id=contact.pk, first_seen_at=now)
        else:
            contact = Contact.objects.get(pk=identity.contact_id)
        if not EventKey.objects.get_or_create(key_hash=key_hash, defaults={"recorded_at": now})[1]:
            return
        consent = (
            ConsentRecord.objects.filter(contact_id=contact.pk, category="tracking", topic="").order_by("-id").first()
        )
        allowed = consent is None or consent.state == "granted"
        event = ContactEvent.objects.create(
            contact_id=contact.pk, recorded_contact_id=contact.pk, type=element["type"], occurred_at=now,
            recorded_at=now, properties=element["properties"], context=element["context"], source="api",
            processed=allowed, key_hash=key_hash,
        )  # fmt: skip
        if not allowed:
            return
        triggers = WorkflowTrigger.objects.filter(event_type=event.type, workflow__status="live")
        for trigger in triggers.select_related("workflow", "version"):
            ProcessedTrigger.objects.get_or_create(
                key_hash=key_hash, defaults={"event_id": event.pk, "processed_at": now}
            )
            if Enrolment.objects.filter(workflow_id=trigger.workflow_id, contact_id=contact.pk).exists():
                EntryRefusal.objects.create(
                    workflow_id=trigger.workflow_id, contact_id=contact.pk, event_id=event.pk, reason="re_entry",
                    refused_at=now,
                )  # fmt: skip
                continue
            Enrolment.objects.create(
                workflow_id=trigger.workflow_id, version_id=trigger.version_id, contact_id=contact.pk, once=True,
                lane="urgent", state="active", step="pause", wake_at=now, entered_at=now, entry_event_id=event.pk,
                trigger={"type": event.type, "event_id": event.pk, "properties": element["properties"]},
            )  # fmt: skip


def take_all(elements: Iterable[Mapping[str, Any]]) -> None:
    for element in elements:
        take(element)


if __name__ == "__main__":
    turn.play(take_all)
