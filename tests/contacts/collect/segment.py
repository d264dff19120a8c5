"""A producer who speaks Segment's HTTP API, and what came of it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

from django.db import connection, transaction
from django.test import Client

from contacts import clock
from contacts.collect import write_keys
from contacts.models import ApiKey, Contact, ContactIdentity


def make_write_key(kind: str = "server", **options: Any) -> str:
    with transaction.atomic():
        return write_keys.create_write_key(name=f"a {kind}", kind=kind, now=clock.now(), **options)


def key_row(key: str) -> ApiKey:
    return ApiKey.objects.get(prefix=key.rpartition("_")[0])


def give_secret(key: str) -> str:
    with transaction.atomic():
        return write_keys.renew_identity_secret(key_row(key).pk)


def user_hash(secret: str, user_id: str) -> str:
    return hmac.new(secret.encode(), user_id.encode(), hashlib.sha256).hexdigest()


class Producer:
    """Speaks HTTP; a fault of ours comes back as 500 instead of an exception."""

    def __init__(self, key: str) -> None:
        self.key = key
        self._client = Client(raise_request_exception=False)
        basic = base64.b64encode(f"{key}:".encode()).decode()
        self.headers = {"Authorization": f"Basic {basic}"}

    def call(self, method: str, path: str, body: bytes = b"", type: str = "application/json", **headers: str) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self._client.generic(method, path, data=body, content_type=type, headers={**self.headers, **named})

    def post(self, path: str, value: Any, **headers: str) -> Any:
        return self.call("POST", path, json.dumps(value).encode(), **headers)

    def send(self, *messages: Any, **envelope: Any) -> None:
        """A batch that is answered as every batch is."""
        response = self.post("/v1/batch", {"batch": messages, **envelope})
        assert (response.status_code, response.content) == (200, b'{"success": true}')

    def say(self, kind: str, **message: Any) -> Any:
        """One message alone; its answer."""
        return self.post(f"/v1/{kind}", message)


def named(kind: str, value: str) -> Contact | None:
    """The living contact that has this name."""
    identity = ContactIdentity.objects.filter(kind=kind, value=value).first()
    contact = identity and Contact.objects.get(pk=identity.contact_id)
    while contact is not None and contact.merged_into is not None:
        contact = contact.merged_into
    return contact


def user(external_id: str) -> Contact:
    contact = named("external_id", external_id)
    assert contact is not None, f"nobody is called {external_id}"
    return contact


def rows(sql: str, *params: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall()


def events_of(contact: Contact | None) -> list[str]:
    """The types of their events, in the order in which they were stored."""
    assert contact is not None
    return [type for (type,) in rows("SELECT type FROM contact_events WHERE contact_id = %s ORDER BY id", contact.pk)]


def stored() -> list[tuple[Any, ...]]:
    """(type, properties, source, processed) of all events."""
    return [
        (type, json.loads(properties), source, processed)
        for type, properties, source, processed in rows(
            "SELECT type, properties::text, source, processed FROM contact_events ORDER BY id"
        )
    ]


def counted() -> dict[str, int]:
    """The tallies of everything that came in."""
    return dict(rows("SELECT outcome, sum(amount)::int FROM intake_deltas GROUP BY outcome"))


def quarantined() -> list[tuple[str, str]]:
    """(source, code of the first fault)."""
    return rows("SELECT source, errors->0->>'code' FROM quarantined_events ORDER BY id")
