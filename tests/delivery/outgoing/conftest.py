"""Somebody's server on the loopback, and endpoints that lead to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from contacts import transactions
from delivery.models import EndpointDelivery, WebhookEndpoint
from delivery.outgoing import endpoints, posting
from delivery.outgoing.endpoints import Made
from tests.receiver import Receiver, receiving


@pytest.fixture
def server(settings: Any) -> Iterator[Receiver]:
    settings.WEBHOOK_ALLOWED_HOSTS = ["127.0.0.1"]
    settings.WEBHOOK_TIMEOUT_SECONDS = 5.0
    with receiving() as found:
        yield found


def add(url: str, *event_types: str, **more: Any) -> Made:
    types = list(event_types) or ["signed_up"]
    return transactions.run(lambda now: endpoints.add(url=url, event_types=types, now=now, **more))


def post() -> None:
    """Make every call that is due."""
    while posting.post_batch(patience=None):
        pass


def due_again() -> None:
    EndpointDelivery.objects.filter(state__in=["queued", "calling"]).update(due_at="2020-01-01T00:00:00Z")


def states() -> list[str]:
    return list(EndpointDelivery.objects.order_by("pk").values_list("state", flat=True))


def row(made: Made) -> WebhookEndpoint:
    return WebhookEndpoint.objects.get(pk=made.id)
