"""Folding comes to the same for every order, every repetition and every cut into batches (I17)."""

from __future__ import annotations

import json
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contacts import clock
from contacts.models import Contact, ContactEvent
from delivery import retention, signals
from delivery.models import Address, Feedback, OutboxEntry, ParkedReport, SendLogEntry, Suppression
from delivery.providers import entries
from delivery.webhooks import consequences, feedback
from delivery.webhooks.consequences import SOFT_BOUNCE_WINDOW, Sourced
from tests.delivery import making
from tests.delivery.esp import Reaction

pytestmark = pytest.mark.django_db

THEN = 1_700_000_000
HISTORY: list[tuple[str, int, dict[str, Any]]] = [
    ("processed", 0, {}), ("delivered", 1, {}), ("deferred", 1, {}), ("open", 2, {"sg_machine_open": True}),
    ("open", 3, {}), ("open", 4, {}), ("click", 5, {"url": "https://a.example"}), ("spamreport", 8, {}),
    ("group_unsubscribe", 9, {"asm_group_id": 7}), ("group_resubscribe", 10, {}), ("something new", 11, {}),
]  # fmt: skip


def sendgrid(message: Any, name: str, at: int, **more: Any) -> dict[str, Any]:
    mid = str(message.public_id) if message is not None else str(uuid4())
    return {"event": name, "mid": mid, "email": "ada@example.com", "timestamp": THEN + at, **more}


def read(provider: str, body: Any, at: float = 0) -> list[Sourced]:
    vendor = entries()[provider].vendor
    assert vendor is not None
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    reading = vendor.read(raw, datetime.fromtimestamp(THEN + 10_000 + at, UTC))
    assert reading.reports and not reading.unread
    return [Sourced(report, provider, f"webhook:{provider}") for report in reading.reports]


@pytest.fixture
def reports(esp, settings) -> list[Sourced]:
    """Of messages to one address: three with a history, seven that bounce for now with a delivery among them, one in
    doubt; of a phone whose owner says stop, start and stop; of messages that are not here."""
    settings.SENDGRID_GROUPS = "7=newsletter"
    who = making.contact(frequency_cap={"per_day": None, "per_week": None})
    messages = [making.message(who.pk) for _ in range(10)]
    making.deliver()
    esp.react = lambda nth, body: Reaction(status=None)
    doubtful = making.message(who.pk)
    making.deliver()
    assert making.state(doubtful).startswith("in_doubt")
    bounced = [sendgrid(each, "bounce", 20 + n, type="blocked") for n, each in enumerate(messages[3:9])]
    history = [sendgrid(each, name, at, **more) for each in messages[:2] for name, at, more in HISTORY]
    elements = [
        *history, *bounced, sendgrid(messages[9], "delivered", 22), sendgrid(messages[9], "bounce", 30, type="blocked"),
        sendgrid(doubtful, "processed", 3), sendgrid(None, "delivered", 1), sendgrid(None, "spamreport", 1),
        sendgrid(None, "bounce", 2, type="bounce", email="other@example.com"), {**history[0], "mid": None},
    ]  # fmt: skip
    words = [
        found
        for at, word in enumerate(["STOP", "START", "STOP", "START"])
        for found in read("twilio", f"MessageSid=SM{at}&SmsStatus=received&From=%2B49170&Body={word}".encode(), at)
    ]
    hit = {"kind": "clicked", "mid": str(messages[0].public_id), "url": "https://a.example/x", "agent": "Mozilla/5.0 x",
           "method": "GET"}  # fmt: skip
    claimed_at = SendLogEntry.objects.get(message=messages[0], kind="claimed").at.timestamp() - THEN - 10_000
    hits = [found for after in (0.5, 1.5, 5, 60) for found in read("links", hit, claimed_at + after)]
    postmark = {"RecordType": "Open", "Metadata": {"mid": str(messages[1].public_id)}, "UserAgent": "Mozilla/5.0",
                "ReceivedAt": "2026-01-01T00:00:00Z", "Recipient": "ada@example.com"}  # fmt: skip
    return [*read("sendgrid", elements), *words, *hits, *read("postmark", postmark)]


def picture(told: Counter[Any]) -> Any:
    """Everything that folding leaves behind, but for the order in which it was written."""
    with connection.cursor() as cursor:
        # which of two vendors was the first to tell of the same thing depends on the order, as it should
        cursor.execute("SELECT what, sum(n) FROM post_tallies GROUP BY 1 ORDER BY 1")
        tallies = cursor.fetchall()
    shown = dict(Address.objects.values_list("id", "shown"))
    return {
        "feedback": sorted(
            (
                row.message_id or 0,
                row.kind,
                row.occurred_at,
                row.is_machine,
                json.dumps({**row.detail, "address_id": shown.get(row.detail["address_id"])}, sort_keys=True),
            )
            for row in Feedback.objects.all()
        ),
        "parked": sorted(str(row.mid) for row in ParkedReport.objects.all()),
        "standing": sorted(
            Suppression.objects.filter(released_at=None).values_list("address__shown", "scope", "reason")
        ),
        "events": sorted(
            (row.contact_id, row.type, row.occurred_at, json.dumps(row.properties, sort_keys=True))
            for row in ContactEvent.objects.exclude(type="email_sent")
        ),
        "open": sorted(OutboxEntry.objects.values_list("message_id", "state")),
        "first": sorted(told.items()),
        "tallies": tallies,
    }


class Undo(Exception):
    pass


def folded(batches: list[list[Sourced]]) -> Any:
    """What folding these batches one after the other leaves; nothing of it stays."""
    told: Counter[Any] = Counter()

    def count(sender: object, **news: Any) -> None:
        told.update((each.message_id, each.kind, each.is_machine) for each in news["feedback"] if each.first)

    signals.feedback_recorded.connect(count)
    found = None
    try:
        with transaction.atomic():
            for batch in batches:
                feedback.fold(batch, now=clock.now())
            found = picture(told)
            raise Undo
    except Undo:
        return found
    finally:
        signals.feedback_recorded.disconnect(count)


_wanted: dict[int, Any] = {}


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), pieces=st.integers(0, 2), copies=st.integers(1, 3))
def test_every_order_and_repetition_of_the_same_reports_comes_to_the_same(reports, seed, pieces, copies):
    if id(reports) not in _wanted:
        _wanted[id(reports)] = folded([reports])
    dice = random.Random(seed)
    shuffled = [report for report in reports for _ in range(dice.randint(1, copies))]
    dice.shuffle(shuffled)
    cuts = sorted(dice.randint(0, len(shuffled)) for _ in range(pieces))
    batches = [shuffled[start:end] for start, end in zip([0, *cuts], [*cuts, len(shuffled)], strict=True)]
    assert folded(batches) == _wanted[id(reports)]


def test_what_they_come_to(reports):
    found = folded([reports])
    assert found["standing"] == [
        ("ada@example.com", "all", "complaint"), ("ada@example.com", "newsletter", "unsubscribe"),
        ("other@example.com", "all", "hard_bounce"),
    ]  # fmt: skip
    assert found["open"] == [] and len(found["parked"]) == 3
    hits = [
        (kind, is_machine, detail) for _, kind, _, is_machine, detail in found["feedback"] if "a.example/x" in detail
    ]
    assert sorted(is_machine for _, is_machine, _ in hits) == [False, False, True, True]
    assert {json.loads(detail)["machine"]["sign"] for _, is_machine, detail in hits if is_machine} == {"too_soon"}


# -- soft bounces ------------------------------------------------------------------------------------------------------

DAYS = st.lists(st.tuples(st.integers(0, 80), st.booleans()), max_size=14)


@settings(max_examples=200, deadline=None)
@given(days=DAYS, seed=st.integers(0, 2**16))
def test_an_address_is_worn_out_by_five_bounces_in_a_month_with_no_delivery_among_them(days, seed):
    base = datetime(2026, 1, 1, tzinfo=UTC)
    bounced = [base + timedelta(days=day) for day, is_bounce in days if is_bounce]
    delivered = [base + timedelta(days=day) for day, is_bounce in days if not is_bounce]
    expected = any(
        len(
            [b for b in bounced if last - SOFT_BOUNCE_WINDOW < b <= last and not any(b <= d <= last for d in delivered)]
        )
        >= consequences.SOFT_BOUNCES
        for last in bounced
    )
    random.Random(seed).shuffle(bounced)
    random.Random(seed + 1).shuffle(delivered)
    found = consequences.is_worn_out(bounced, delivered, SOFT_BOUNCE_WINDOW)
    both_at_once = set(bounced) & set(delivered)
    assert found == expected or both_at_once


def ada() -> Any:
    return Contact.objects.filter(email="ada@example.com").first() or making.contact(
        frequency_cap={"per_day": None, "per_week": None}
    )


def sent(count: int) -> list[Any]:
    messages = [making.message(ada().pk) for _ in range(count)]
    making.deliver()
    return messages


def fold(*elements: dict[str, Any]) -> None:
    feedback.fold(read("sendgrid", list(elements)), now=clock.now())


def standing() -> set[tuple[str, str]]:
    return set(Suppression.objects.filter(released_at=None).values_list("scope", "reason"))


def test_a_delivery_between_soft_bounces_begins_a_new_count_and_one_after_them_does_not():
    messages = sent(7)
    bounces = [sendgrid(each, "bounce", n, type="blocked") for n, each in enumerate(messages[:5])]
    fold(*bounces[:3], sendgrid(messages[5], "delivered", 2), *bounces[3:])
    assert standing() == set()
    fold(sendgrid(messages[6], "delivered", 50))
    assert standing() == set()


def test_a_delivery_that_is_heard_of_late_ends_what_it_forbids():
    messages = sent(7)
    fold(*[sendgrid(each, "bounce", n, type="blocked") for n, each in enumerate(messages[:5])])
    assert standing() == {("email", "soft_bounce")}
    fold(sendgrid(messages[5], "delivered", 50))
    assert standing() == {("email", "soft_bounce")}, "it came after the five"
    fold(sendgrid(messages[6], "delivered", 3))
    assert standing() == set()
    assert Suppression.objects.get().released_by == "a delivery"


def test_what_bounced_before_somebody_released_the_address_counts_no_longer():
    messages = sent(7)
    fold(*[sendgrid(each, "bounce", n, type="blocked") for n, each in enumerate(messages[:5])])
    Suppression.objects.update(released_at=clock.now(), released_by="eve")
    fold(sendgrid(messages[5], "bounce", 60, type="blocked"))
    assert standing() == set()


def test_soft_bounces_of_other_installations_wear_nobody_out():
    sent(1)
    fold(*[sendgrid(None, "bounce", n, type="blocked") for n in range(6)])
    fold(*[{**sendgrid(None, "bounce", n, type="blocked"), "mid": None} for n in range(6)])
    assert standing() == set()


# -- reports whose message is not here ---------------------------------------------------------------------------------


def test_a_report_waits_for_its_message_and_is_folded_when_it_turns_up(told):
    message = sent(1)[0]
    lost, kept = str(uuid4()), str(message.public_id)
    making.change("UPDATE messages SET public_id = %s WHERE id = %s", [lost, message.pk])
    elements = [
        {**sendgrid(message, name, at), "mid": kept} for name, at in (("delivered", 1), ("open", 2), ("spamreport", 3))
    ]
    fold(*elements, *elements)
    assert standing() == {("all", "complaint")}, "what follows for the address does not wait"
    assert feedback.parking.waiting().count == 3 and not Feedback.objects.exists()
    assert making.run(feedback.resolve_parked) == 0
    Suppression.objects.update(released_at=clock.now(), released_by="eve")
    making.change("UPDATE messages SET public_id = %s WHERE id = %s", [kept, message.pk])
    told.clear()
    assert making.run(feedback.resolve_parked) == 1
    assert sorted(Feedback.objects.values_list("message_id", "kind")) == [
        (message.pk, kind) for kind in ("complained", "delivered", "opened")
    ]
    assert sorted(each.kind for each in told) == ["complained", "delivered", "opened"]
    assert {name for name, _ in making.events(message.contact_id)} == {
        "email_sent", "email_delivered", "email_opened", "email_complained",
    }  # fmt: skip
    assert feedback.parking.waiting().count == 0
    assert standing() == set(), "and what somebody released since stays released"
    fold(*elements)
    assert Feedback.objects.count() == 3


def test_the_walk_through_what_is_parked_comes_to_every_row():
    messages = sent(3)
    for each in messages:
        fold({**sendgrid(each, "open", 1), "mid": str(uuid4())})
    rows = list(ParkedReport.objects.order_by("id"))
    for row, each in zip(rows, messages, strict=True):
        ParkedReport.objects.filter(pk=row.pk).update(mid=each.public_id)
    for left in (2, 1, 0):
        feedback.resolve_parked(limit=1)
        assert ParkedReport.objects.count() == left


def test_what_nobody_claimed_goes_with_the_bodies(settings):
    fold(sendgrid(None, "open", 1))
    making.age("parked_at", "parked_reports", "6 days")
    making.run(retention.prune_batch)
    assert feedback.parking.waiting().count == 1
    making.age("parked_at", "parked_reports", "2 days")
    making.run(retention.prune_batch)
    assert feedback.parking.waiting().count == 0
