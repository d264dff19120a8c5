"""Whole working journeys in a call: definitions, contacts, events, and the engine run until nothing is due."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

from django.db import connection, transaction

from contacts import clock, events, transactions
from contacts.models import Contact
from delivery.authoring import templates
from workflows import admission, archiving, engine, intake, pausing, publishing
from workflows.entry import entry_requests, entry_work
from workflows.models import Enrolment, JournalEntry
from workflows.watches import looking

PLAIN_TEMPLATE = {"preheader": "", "html": "<p>Hello</p>", "text": "Hello"}


def definition(steps: dict[str, Any], *, slug: str = "journey", **changes: Any) -> dict[str, Any]:
    """A valid definition that starts with its first step; `changes` replace parts of the envelope."""
    return {
        "schema": 1,
        "name": slug.replace("-", " ").capitalize(),
        "slug": slug,
        "entry": {"trigger": {"type": "event", "event": "signed_up"}, "re_entry": {"policy": "never"}},
        "start": next(iter(steps)),
        "steps": steps,
        **changes,
    }


def step(kind: str, next_: dict[str, str | None] | None = None, **config: Any) -> dict[str, Any]:
    return {"type": kind, "config": config, "next": {"next": None} if next_ is None else next_}


def template(slug: str) -> int:
    with transaction.atomic():
        return templates.save_version(slug=slug, name=slug, subject=slug, **PLAIN_TEMPLATE, now=clock.now())


def publish(document: dict[str, Any]) -> int:
    """Store and publish a definition; returns the version's number."""
    now = clock.now()
    publishing.save_draft(definition=document, now=now)
    return publishing.publish(slug=document["slug"], by="test", now=now)


def contact(email: str = "ada@example.com", **fields: Any) -> Contact:
    """A contact made behind the doors: no identity, for tests that know its id."""
    made = Contact.objects.create(email=email, **fields)
    made.refresh_from_db()
    return made


def contacts(count: int, **fields: Any) -> list[int]:
    """Many contacts; returns their ids."""
    rows = Contact.objects.bulk_create([Contact(email=f"c{n}@example.com", **fields) for n in range(count)])
    return [row.pk for row in rows]


def track(
    contact_ids: int | Sequence[int],
    event_type: str,
    *,
    properties: dict[str, Any] | None = None,
    key: str | None = None,
    occurred_at: datetime | None = None,
    lane: str = "urgent",
) -> events.Recorded:
    """Record an event for each contact, as the API would."""
    ids = [contact_ids] if isinstance(contact_ids, int) else list(contact_ids)
    with transaction.atomic():
        now = clock.now()
        rows = [
            events.NewEvent(
                type=event_type,
                occurred_at=occurred_at or now,
                contact=contact_id,
                properties=properties or {},
                context={},
                key=f"{key}-{contact_id}" if key else None,
            )
            for contact_id in ids
        ]
        return events.record_batch(rows, source="api", now=now, lane=lane)


def run(*, lanes: Sequence[str] = ("urgent", "bulk"), limit: int = 500) -> None:
    """Match and advance until nothing is due."""
    for _ in range(1000):
        busy = [intake.match_batch(lane=lane, limit=limit) for lane in lanes]
        busy += [entry_requests.take_batch(lane=lane, limit=limit) for lane in lanes]
        busy.append(entry_work.work())
        busy += look_again(lanes)
        busy += [admission.admit_batch(lane=lane) for lane in lanes]
        busy += [engine.advance_batch(lane=lane, limit=limit) for lane in lanes]
        busy += [pausing.release_batch(), transactions.run(archiving.empty_batch)]
        if not any(busy):
            return
    raise AssertionError("the engine never came to rest")


def look_again(lanes: Sequence[str] = ("urgent", "bulk")) -> list[bool]:
    """One batch of checks in each lane; whether there were any."""
    return [transactions.run(partial(looking.work_batch, lane)) for lane in lanes]


def wake_all() -> None:
    """Bring every wait to its end, as time would."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE workflow_enrolments SET wake_at = now() - interval '1 second' WHERE state = 'waiting'")


def try_again_now() -> None:
    """Bring the pause after a failed try to its end, as time would."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE workflow_enrolments SET wake_at = now() - interval '1 second' WHERE attempts > 0")


def enrolment(contact_id: int, slug: str = "journey") -> Enrolment:
    """The latest enrolment of a contact in a workflow."""
    return Enrolment.objects.filter(contact_id=contact_id, workflow__slug=slug).latest("id")


def path(enrolment_id: int) -> list[tuple[str, str, str]]:
    """What the journal says: (step, outcome, port) in order."""
    rows = JournalEntry.objects.filter(enrolment_id=enrolment_id).order_by("seq")
    return [(row.step, row.outcome, row.port) for row in rows]
