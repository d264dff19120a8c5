"""What the post office's tests may ask for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection

from delivery import signals
from tests.delivery.esp import Esp


@pytest.fixture
def esp(settings) -> Iterator[Esp]:
    """SendGrid, played by a stub; EMAIL_PROVIDER points at it."""
    stub = Esp()
    settings.EMAIL_PROVIDER = "sendgrid"
    settings.SENDGRID_API_URL = stub.url
    settings.SENDGRID_API_KEY = "SG.test"
    settings.ESP_BACKOFF_MS = 1
    settings.ESP_RATE_LIMIT = 100_000
    yield stub
    stub.stop()


@pytest.fixture
def beside():
    """Run something in a thread with a connection of its own; returns its future."""
    pool = ThreadPoolExecutor(4)

    def start(work: Callable[..., Any], *args: Any, **kwargs: Any) -> Future[Any]:
        def guarded() -> Any:
            try:
                return work(*args, **kwargs)
            finally:
                connection.close()

        return pool.submit(guarded)

    yield start
    pool.shutdown()


@pytest.fixture
def told() -> Iterator[list[Any]]:
    """Every outcome and feedback note that the floors above are told, in order."""
    heard: list[Any] = []

    def listen(sender: object, **news: Any) -> None:
        heard.extend(news.get("outcomes") or news.get("feedback") or ())

    for signal in (signals.messages_decided, signals.feedback_recorded):
        signal.connect(listen)
    yield heard
    for signal in (signals.messages_decided, signals.feedback_recorded):
        signal.disconnect(listen)


VECTORS = Path(settings.BASE_DIR).parent / "shared" / "vectors"


def vectors(name: str, otherwise: Any) -> Any:
    """Third-party test vectors, which lie beside the project; without them `otherwise`, whose tests are none."""
    path = VECTORS / name
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else otherwise
