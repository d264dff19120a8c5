"""Three orders of one person, each on a journey of its own, with real processes: one is completed, one is cancelled, of
the third nothing is heard."""

from __future__ import annotations

import json

import pytest
from django.db import transaction

from analytics.counting import books
from contacts import access, clock
from delivery.authoring import templates
from delivery.models import SandboxMail
from tests import journeys
from tests.journeys import definition, step
from tests.stories.fleet import Installation
from workflows.models import Enrolment

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(180)]

SPEED = 86_400.0
SAME_ORDER = {"field": "event.order_id", "op": "eq", "value": {"ref": "trigger.order_id"}}
ORDER = definition(
    {
        "thanks": step("send_email", {"next": "paid"}, template="thanks"),
        "paid": step(
            "wait_for_event",
            {"happened": "big", "timed_out": "remind"},
            event="order_paid",
            where=SAME_ORDER,
            timeout="P25D",
        ),
        "big": step(
            "branch",
            {"yes": "reached", "else": None},
            arms=[{"key": "yes", "if": {"field": "trigger.total", "op": "gte", "value": 100}}],
        ),
        "reached": step("goal", name="A big order is paid"),
        "remind": step("add_tag", tag="to be reminded"),
    },
    entry={
        "trigger": {"type": "event", "event": "order_placed"},
        "re_entry": {"policy": "every_time", "key": "event.order_id"},
    },
    exit={"goal": [{"event": "order_cancelled", "where": SAME_ORDER}]},
    settings={"message_class": "transactional"},
)


def send(installation: Installation, key: str, kind: str, *orders: str) -> None:
    events = [
        {
            "event_id": f"{kind} {order}",
            "type": kind,
            "contact": {"email": "ada@example.com"},
            "properties": {"order_id": order, "total": 120},
        }
        for order in orders
    ]
    status, body, _ = installation.request(
        "POST",
        "/api/v1/events",
        json.dumps({"events": events}).encode(),
        Authorization=f"Bearer {key}",
        Content_Type="application/json",
    )
    assert (status, json.loads(body)["accepted"]) == (202, len(orders)), body


def at(order: str) -> tuple[str, str, str]:
    return Enrolment.objects.values_list("state", "exit_reason", "step").get(entry_key=order)


def test_what_happens_to_one_order_moves_no_other(tmp_path):
    with transaction.atomic():
        key = access.create_key(name="story", kind="secret", scopes=["events:write"], now=clock.now())
        templates.save_version(
            slug="thanks", name="Thanks", subject="Order {{trigger.order_id}}", preheader="",
            html="<p>Thank you</p>", text="Thank you", now=clock.now(),
        )  # fmt: skip
    journeys.publish(ORDER)
    with Installation(tmp_path, speed=SPEED) as installation:
        send(installation, key, "order_placed", "A", "B", "C")
        installation.until(
            lambda: Enrolment.objects.filter(state="waiting", step="paid").count() == 3, "three orders to wait"
        )
        # who leaves takes along what is still in the queue: each has its mail before anybody does
        installation.until(lambda: SandboxMail.objects.count() == 3, "three mails")
        send(installation, key, "order_paid", "B")
        send(installation, key, "order_cancelled", "C")
        installation.until(lambda: at("B")[0] == "completed", "order B to be paid")
        installation.until(lambda: at("C")[0] == "exited", "order C to be cancelled")
        assert at("A")[0] == "waiting"
        installation.until(lambda: at("A")[0] == "completed", "the wait of order A to end")
        installation.until(lambda: all(book.balanced for book in books.balance()), "the books to balance")
    assert at("A") == ("completed", "completed", "remind")
    assert at("B") == ("completed", "completed", "reached")
    assert at("C") == ("exited", "goal_achieved", "paid")
    subjects = SandboxMail.objects.order_by("subject").values_list("subject", flat=True)
    assert list(subjects) == ["Order A", "Order B", "Order C"]
