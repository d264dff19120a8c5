"""Small makers for the post office's tests, and its work done by hand until nothing is left."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from django.db import connection, transaction

from contacts import clock
from contacts.models import Contact
from delivery import outbox, sending
from delivery.authoring import templates
from delivery.models import Message, SandboxMail, SendLogEntry
from delivery.requests import SendRequest

_numbers = itertools.count(1)

HTML = "<html><body><h1>Hello {{first_name}}</h1><p><a href='https://shop.example/new'>New things</a></p></body></html>"


def template(slug: str = "welcome", **words: str) -> int:
    given = {"subject": "Welcome {{first_name}}", "html": HTML} | words
    return templates.save_version(slug=slug, name=slug, now=clock.now(), **given)


def contact(email: str = "ada@example.com", **fields: Any) -> Contact:
    made = Contact.objects.create(email=email, **fields)
    made.refresh_from_db()
    return made


def contacts(count: int, **fields: Any) -> list[int]:
    start = next(_numbers)
    rows = Contact.objects.bulk_create([Contact(email=f"c{start}-{n}@example.com", **fields) for n in range(count)])
    return [row.pk for row in rows]


def request(contact_id: int, version_id: int, **changes: Any) -> SendRequest:
    about = {"workflow": "journey", "step": "hello", "template": "welcome"}
    given = {"channel": "email", "idempotency_key": f"test:{next(_numbers)}", "context": {"about": about}} | changes
    return SendRequest(contact_id=contact_id, template_version_id=version_id, **given)


def enqueue(*requests: SendRequest) -> list[Message]:
    with transaction.atomic():
        outbox.enqueue(requests, now=clock.now())
    keys = [each.idempotency_key for each in requests]
    found = {message.idempotency_key: message for message in Message.objects.filter(idempotency_key__in=keys)}
    return [found[key] for key in keys]


def message(contact_id: int | None = None, **changes: Any) -> Message:
    """One message in the queue, of a contact and a template of its own unless they are given."""
    who = contact_id or contact(f"m{next(_numbers)}@example.com", attributes={"first_name": "Ada"}).pk
    return enqueue(request(who, changes.pop("version_id", None) or template(), **changes))[0]


def deliver(lane: str = "urgent") -> int:
    """Send until nothing is due. Returns the number of batches."""
    return run(lambda: sending.deliver_batch(lane))


def run(work: Callable[[], bool]) -> int:
    for batches in range(1000):
        if not work():
            return batches
    raise AssertionError("there is no end to this work")


def state(message: Message) -> str:
    return states([message])[0]


def states(messages: list[Message]) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT message_id, state, reason FROM message_states")
        found = {row[0]: f"{row[1]}:{row[2]}" if row[2] else row[1] for row in cursor.fetchall()}
    return [found[message.pk] for message in messages]


def log(message: Message) -> list[str]:
    return list(SendLogEntry.objects.filter(message=message).order_by("id").values_list("kind", flat=True))


def rows(message: Message) -> list[SendLogEntry]:
    return list(SendLogEntry.objects.filter(message=message).order_by("id"))


def mails(message: Message) -> list[SandboxMail]:
    return list(SandboxMail.objects.filter(mid=message.public_id))


def events(contact_id: int) -> list[tuple[str, dict[str, Any]]]:
    from contacts.models import ContactEvent

    rows = ContactEvent.objects.filter(contact_id=contact_id).order_by("id")
    return [(row.type, row.properties) for row in rows]


def age(column: str, table: str, interval: str, where: str = "true") -> None:
    """Let time pass for rows, as if they had been written earlier."""
    change(f"UPDATE {table} SET {column} = {column} - %s::interval WHERE {where}", [interval])


def change(statement: str, params: list[Any]) -> None:
    """Change even what is append-only, as erasure and merge may."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL carillon.guarded_path = 'on'")
        cursor.execute(statement, params)
        cursor.execute("SET LOCAL carillon.guarded_path = 'off'")
