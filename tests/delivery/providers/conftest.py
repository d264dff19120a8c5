"""What the tests of providers may ask for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from delivery.providers.base import Answer, Letter, Provider
from tests.delivery.providers.stub import Stub

MID = "6f1c5f5e-8d2c-4a0e-9d53-0f6b1f3f2a11"
LETTER = Letter(
    mid=MID,
    to_address="ada@example.com",
    from_address="hello@carillon.example",
    from_name="Carillon",
    subject="Welcome",
    html="<p>Hi</p>",
    text="Hi",
    headers={"List-Unsubscribe": "<https://mail.example/u/x>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"},
    message_class="marketing",
)


def letter(**changes: Any) -> Letter:
    return Letter(**(vars(LETTER) | changes))


def deliver(provider: Provider, given: Letter = LETTER, *, seconds: float = 5.0) -> Answer:
    """Hand one letter over, under a lease of so many seconds."""
    answers = provider.deliver([given], start_before=time.monotonic() + seconds)
    assert set(answers) == {given.mid}
    return answers[given.mid]


@pytest.fixture
def stub() -> Iterator[Stub]:
    server = Stub()
    yield server
    server.stop()
