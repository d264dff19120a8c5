"""Bodies of webhooks are emptied when somebody whom they are about is erased, and nobody else's are."""

from __future__ import annotations

import json
from typing import Any

import pytest

from contacts import clock, transactions
from contacts.privacy import erasing
from delivery.models import WebhookDelivery
from delivery.webhooks import feedback
from tests.delivery import making

pytestmark = pytest.mark.django_db


def arrive(*events: Any, raw: bytes | None = None) -> int:
    body = json.dumps(events).encode() if raw is None else raw
    made = WebhookDelivery.objects.create(provider="sendgrid", body=body, received_at=clock.now())
    making.run(feedback.fold_batch)
    return made.pk


def about(message: Any = None, email: str = "ada@example.com", **more: Any) -> dict[str, Any]:
    mid = {"mid": str(message.public_id)} if message is not None else {}
    return {"event": "delivered", "email": email, "timestamp": 1_700_000_000, "sg_event_id": str(more), **mid}


def emptied(who: Any) -> set[int]:
    transactions.run(lambda now: erasing.erase(who.pk, actor="test", now=now))
    return {row.pk for row in WebhookDelivery.objects.all() if bytes(row.body) == b""}


def test_a_body_is_found_by_the_messages_that_it_names_and_by_the_address_where_it_names_none():
    ada, bob = making.contact("ada@example.com"), making.contact("bob@example.com")
    to_ada, to_bob = making.message(ada.pk), making.message(bob.pk)
    making.deliver()
    named = arrive(about(to_bob, "bob@example.com"), about(to_ada))
    twice = arrive(about(to_ada))  # a second delivery of the same report
    nameless = arrive(about(email="ADA@Example.com"))
    unknown = arrive({**about(), "mid": "3f2504e0-4f89-41d3-9a0c-0305e82c3301"})
    broken = arrive(raw=b'["ada@example.com"]')
    others = [arrive(about(to_bob, "bob@example.com", n=1)), arrive(about(email="not-ada@example.com.example"))]
    assert emptied(ada) == {named, twice, nameless, unknown, broken}
    assert WebhookDelivery.objects.filter(pk__in=others, names_others=False).count() == 1


@pytest.mark.parametrize("ascii_only", [True, False])
def test_an_address_outside_of_ascii_is_found_however_json_writes_it(ascii_only):
    who = making.contact("zoë@exämple.com")
    body = json.dumps([about(email="zoë@exämple.com")], ensure_ascii=ascii_only).encode()
    stored = arrive(raw=body)
    assert emptied(who) == {stored}
