"""Reports of three vendors, each three times, shuffled, over HTTP, with forged, old and altered ones among them, while
the worker that folds them is killed again and again: what they come to is what they come to one by one (I17)."""

from __future__ import annotations

import http.client
import json
import os
import random
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import transaction
from sendgrid.helpers.eventwebhook import EventWebhookHeader

from contacts import clock
from contacts.models import ContactEvent
from delivery.models import Feedback, SandboxMail, Suppression, WebhookDelivery
from delivery.providers import entries
from delivery.providers.sandbox import key as sandbox_key
from delivery.webhooks import feedback
from delivery.webhooks.consequences import Sourced
from tests.delivery import making
from tests.delivery.webhooks import knocking
from tests.stories.fleet import Installation

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(180)]

MESSAGES = int(os.environ.get("STORY_MESSAGES", "80"))
TIMES = 3
THEN = 1_700_000_000


@dataclass(frozen=True)
class Posted:
    """A body as a vendor sends it, and whether it is to be believed."""

    provider: str
    body: bytes
    headers: dict[str, str]
    is_genuine: bool = True


def sandbox(elements: Sequence[dict[str, Any]]) -> Posted:
    body = json.dumps(elements).encode()
    signature = sandbox_key.sign("1700000000", body)
    return Posted(
        "sandbox", body, {EventWebhookHeader.TIMESTAMP: "1700000000", EventWebhookHeader.SIGNATURE: signature}
    )


def reported(number: int, mid: str) -> list[Posted]:
    """What is reported of one message, by the vendor whose turn it is."""
    address = f"w{number}@example.com"
    told = {"email": address, "mid": mid, "timestamp": THEN + number}
    bad = [None, 3, {"event": 7, "mid": mid, "email": address}]
    if number % 4 == 1:
        names = ("delivered", "opened", "complained") if number % 8 == 1 else ("delivered", "opened", "clicked")
        data = [
            {"event": name, "timestamp": THEN + at, "recipient": address, "user-variables": {"mid": mid}}
            for at, name in enumerate(names)
        ]
        signed = [knocking.mailgun(each, token=f"{mid}{at}") for at, each in enumerate(data)]
        return [Posted("mailgun", body, dict(headers)) for body, headers in signed]
    if number % 4 == 2:
        kinds = ("Delivery", "Open", "Bounce")
        bodies = [
            {"RecordType": kind, "Type": "HardBounce", "Recipient": address, "Metadata": {"mid": mid}, "ReceivedAt":
             f"2024-01-01T00:00:0{at}Z", "UserAgent": "Mozilla/5.0"} for at, kind in enumerate(kinds)
        ]  # fmt: skip
        return [Posted("postmark", *_both(knocking.basic(json.dumps(each).encode()))) for each in bodies]
    deeds = ("processed", "delivered", "open", "click", "unsubscribe" if number % 8 == 3 else "open")
    bodies = [[{**told, "event": name, "timestamp": THEN + at}, *bad] for at, name in enumerate(deeds)]
    return [sandbox(each) for each in bodies]


def _both(signed: knocking.Signed) -> tuple[bytes, dict[str, str]]:
    return signed[0], dict(signed[1])


def disbelieved(each: Posted, dice: random.Random, number: int) -> Posted:
    """The same, altered, forged, or signed too long ago."""
    if each.provider == "mailgun":
        old = knocking.mailgun({"event": "complained", "recipient": "v@b.example"}, token=f"old {number}", at=THEN)
        changed = each.body.replace(b"@example.com", b"@victim.example")  # with a token that is, or will be, used
        forged = knocking.mailgun({"event": "complained"}, token=f"forged {number}", key="another key")
        body = dice.choice([old[0], forged[0]]) if number % 2 else changed
        return Posted("mailgun", body, {}, is_genuine=False)
    return Posted(each.provider, each.body + b" ", {}, is_genuine=False)


def picture() -> dict[str, Any]:
    standing = Suppression.objects.filter(released_at=None)
    return {
        "feedback": sorted(Feedback.objects.values_list("message_id", "kind", "is_machine", "occurred_at", "provider")),
        "standing": sorted(standing.values_list("address__shown", "scope", "reason")),
        "events": sorted(
            (row.contact_id, row.type, row.occurred_at) for row in ContactEvent.objects.exclude(type="email_sent")
        ),
    }


class Undo(Exception):
    pass


def one_by_one(posted: Sequence[Posted]) -> dict[str, Any]:
    """What they come to in the order in which they happened; nothing of it stays."""
    found: dict[str, Any] = {}
    try:
        with transaction.atomic():
            for each in posted:
                now = clock.now()
                reports = entries()[each.provider].vendor.read(each.body, now).reports
                feedback.fold([Sourced(one, each.provider, "test") for one in reports], now=now)
            found = picture()
            raise Undo
    except Undo:
        return found


def post_all(port: int, posted: Sequence[Posted]) -> list[tuple[Posted, int]]:
    """Over one connection, as a vendor does."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    answers = []
    for each in posted:
        client.request("POST", f"/webhooks/{each.provider}/", body=each.body, headers=each.headers)
        response = client.getresponse()
        response.read()
        answers.append((each, response.status))
    client.close()
    return answers


def test_reports_come_to_the_same_however_they_come(tmp_path, settings, monkeypatch):
    for name, value in knocking.SECRETS.items():
        setattr(settings, name, value)
        monkeypatch.setenv(name, value)
    version = making.template()
    people = [making.contact(f"w{number}@example.com").pk for number in range(MESSAGES)]
    messages = making.enqueue(*[making.request(who, version) for who in people])
    making.deliver()
    SandboxMail.objects.all().delete()  # its people are not to join in
    genuine = [each for number, message in enumerate(messages) for each in reported(number, str(message.public_id))]
    wanted = one_by_one(genuine)
    assert not Feedback.objects.exists() and len(wanted["standing"]) > MESSAGES / 8
    dice = random.Random(17)
    deck = [each for each in genuine for _ in range(TIMES)]
    dice.shuffle(deck)
    # an altered body that comes before the genuine one would take its token: whoever has seen it has seen it posted
    deck = [*genuine[: len(genuine) // 4], *deck]
    wrong = [disbelieved(each, dice, number) for number, each in enumerate(genuine[: len(genuine) // 4])]
    quarter = len(genuine) // 4
    deck[quarter:] = dice.sample([*deck[quarter:], *wrong], len(deck) - quarter + len(wrong))
    with Installation(tmp_path, speed=1.0) as installation, ThreadPoolExecutor(4) as pool:
        answers = post_all(installation.port, deck[:quarter])
        rest = deck[quarter:]
        futures = [pool.submit(post_all, installation.port, rest[start::4]) for start in range(4)]
        kills = 0
        while not all(future.done() for future in futures):
            installation.process("webhooks").kill()
            kills += 1
            installation.until(
                lambda: installation.process("webhooks").alive or all(future.done() for future in futures),
                "the worker to be back",
            )
        answers += [answer for future in futures for answer in future.result()]
        installation.until(lambda: not WebhookDelivery.objects.filter(folded_at=None).exists(), "all to be folded")
    assert kills >= 1
    assert Counter((each.is_genuine, status) for each, status in answers) == {
        (True, 200): len(genuine) * TIMES + quarter, (False, 403): len(wrong),
    }  # fmt: skip
    assert picture() == wanted
    once = [each for each in genuine if each.provider == "mailgun"]
    assert WebhookDelivery.objects.filter(provider="mailgun").count() == len(once)
