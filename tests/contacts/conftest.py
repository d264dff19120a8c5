"""A client that holds a key, and a short way to say an event."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client

from contacts import access, awaited, clock, events
from contacts.events import Identifiers, NewEvent


class Api:
    """HTTP, as a producer speaks it. A fault of ours comes back as 500 instead of an exception."""

    def __init__(self, key: str) -> None:
        self._client = Client(raise_request_exception=False)
        self._headers = {"Authorization": f"Bearer {key}"}

    def call(self, method: str, path: str, body: bytes, **headers: str) -> Any:
        return self._client.generic(
            method, path, data=body, content_type="application/json", headers={**self._headers, **headers}
        )

    def post_bytes(self, body: bytes, path: str = "/api/v1/events", **headers: str) -> Any:
        return self.call("POST", path, body, **headers)

    def post_events(self, *elements: Any, **envelope: Any) -> dict[str, Any]:
        """Elements are values, or JSON text as bytes where Python could not write such JSON."""
        parts = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in elements]
        rest = "".join(f", {json.dumps(name)}: {json.dumps(value)}" for name, value in envelope.items()).encode()
        response = self.post_bytes(b'{"events": [' + b",".join(parts) + b"]" + rest + b"}")
        assert response.status_code == 202, response.content
        return response.json()

    def get(self, path: str, **query: str) -> Any:
        return self._client.get(path, query_params=query, headers=self._headers)


def make_key(*scopes: str, kind: str = "secret") -> str:
    with transaction.atomic():
        return access.create_key(name="test", kind=kind, scopes=scopes, now=clock.now())


@pytest.fixture
def api(db: None) -> Api:
    return Api(make_key("events:write"))


@pytest.fixture
def count() -> Callable[..., int]:
    def rows(table: str, where: str = "true", *params: Any) -> int:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM {table} WHERE {where}", params)
            return cursor.fetchone()[0]

    return rows


def together(*works: Callable[[], Any]) -> list[Any]:
    """Run each in a thread of its own, all at once; their results, or the first error."""
    barrier = threading.Barrier(len(works))
    results: dict[int, Any] = {}

    def run(number: int, work: Callable[[], Any]) -> None:
        try:
            barrier.wait()
            results[number] = work()
        except Exception as error:
            results[number] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results.values():
        if isinstance(result, Exception):
            raise result
    return [results[number] for number in range(len(works))]


def await_events(*types: str) -> None:
    """Somebody waits for events of these types, so that they are queued."""
    with transaction.atomic():
        awaited.declare("test", types)


def event(
    who: str | Identifiers | int = "ada", type: str = "signed_up", at: datetime | None = None, **rest: Any
) -> NewEvent:
    """An event of the contact with this external id."""
    return NewEvent(
        type=type,
        occurred_at=at,
        contact=Identifiers(external_id=who) if isinstance(who, str) else who,
        properties=rest.pop("properties", {}),
        context=rest.pop("context", {}),
        **rest,
    )


def record(*new: NewEvent, now: datetime, **options: Any) -> events.Recorded:
    with transaction.atomic():
        return events.record_batch(new, source=options.pop("source", "api"), now=now, **options)
