"""The providers' side of the drill `webhook_fold`: genuine bodies, each thing in several of them, and beside them
bodies that nobody signed who may."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import random
import secrets
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.drills.rig.clients import TRY_AGAIN_SECONDS
from tests.drills.rig.stub_webhooks import TIMESTAMP, Signer, new_key
from tests.drills.webhook_fold.reports import Told

BUNDLE = (1, 20)  # reports in one body
OLD_SECONDS = 3600  # older than Resend's signatures are believed
FORGED_DOMAIN = "forged.example"  # what an impostor reports, and of which no trace may be found

Headers = Mapping[str, str]


@dataclass(frozen=True)
class Knock:
    """One request. `headers` are made anew for each try. `attack`: which kind of impostor; empty: genuine."""

    provider: str
    body: bytes
    headers: Callable[[bytes], Headers]
    attack: str = ""


@dataclass
class Answers:
    """`refused` and `let_in`: by kind of attack. `again`: tries after the first, which met a fault."""

    taken: int = 0
    again: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    let_in: Counter[str] = field(default_factory=Counter)


class Resend:
    """Signs as Svix does for Resend."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(24)
        self.secret = "whsec_" + base64.b64encode(self._key).decode()

    def headers(self, body: bytes, *, age: float = 0) -> Headers:
        name, stamp = f"msg_{secrets.token_hex(8)}", str(int(time.time() - age))
        signature = hmac.new(self._key, f"{name}.{stamp}.".encode() + body, hashlib.sha256).digest()
        return {
            "Content-Type": "application/json",
            "svix-id": name,
            "svix-timestamp": stamp,
            "svix-signature": f"v1,{base64.b64encode(signature).decode()}",
        }


def genuine(told: Sequence[Told], *, copies: int, signer: Signer, resend: Resend, dice: random.Random) -> list[Knock]:
    """Each thing `copies` times, always in other company, in no order."""
    by_sendgrid = [each for each in told if each.by == "sendgrid"] * copies
    dice.shuffle(by_sendgrid)
    knocks = [
        Knock("resend", json.dumps(each.as_resend()).encode(), resend.headers)
        for each in told
        if each.by == "resend"
        for _ in range(copies)
    ]
    while by_sendgrid:
        size = dice.randint(*BUNDLE)
        bundle, by_sendgrid = by_sendgrid[:size], by_sendgrid[size:]
        body = json.dumps([each.as_sendgrid() for each in bundle]).encode()
        knocks.append(Knock("sendgrid", body, signer.headers))
    dice.shuffle(knocks)
    return knocks


def attacks(told: Sequence[Told], count: int, *, signer: Signer, resend: Resend, dice: random.Random) -> list[Knock]:
    """So many of each kind. They report that people complained, which would suppress them."""
    impostor, other = Signer(new_key()[0]), Resend()
    knocks = []
    for number in range(count):
        victim = dice.choice(told)
        body = json.dumps([{**victim.as_sendgrid(), "event": "spamreport", "email": f"v{number}@{FORGED_DOMAIN}"}])
        resent = json.dumps({**victim.as_resend(), "type": "email.complained", "forged": FORGED_DOMAIN})
        knocks += [
            Knock("sendgrid", body.encode(), impostor.headers, "signed with another key"),
            Knock("sendgrid", body.encode(), lambda body: {"Content-Type": "application/json"}, "not signed"),
            Knock("sendgrid", body.encode(), lambda body: signer.headers(b"[]"), "altered after it was signed"),
            Knock("sendgrid", body.encode(), lambda body: _redated(signer, body), "dated anew"),
            Knock("resend", resent.encode(), lambda body: resend.headers(body, age=OLD_SECONDS), "old"),
            Knock("resend", resent.encode(), other.headers, "signed with another secret"),
            Knock(
                "resend", resent.encode(), lambda body: resend.headers(body + b" "), "altered, of the other provider"
            ),
        ]
    return knocks


def _redated(signer: Signer, body: bytes) -> Headers:
    return {**signer.headers(body), TIMESTAMP: str(int(time.time()) - 1)}


async def deliver(url: str, knocks: Sequence[Knock], *, senders: int, seconds: float) -> Answers:
    """Send them all, in their order, so many at once, spread over the time; each until it is answered."""
    answers, waiting = Answers(), list(reversed(knocks))
    began, total = time.monotonic(), len(knocks)

    async def send(session: aiohttp.ClientSession) -> None:
        while waiting:
            turn = began + seconds * (total - len(waiting)) / total
            knock = waiting.pop()
            await asyncio.sleep(turn - time.monotonic())
            await _until_answered(session, f"{url}/webhooks/{knock.provider}/", knock, answers)

    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session, asyncio.TaskGroup() as group:
        for _ in range(senders):
            group.create_task(send(session))
    return answers


async def _until_answered(session: aiohttp.ClientSession, url: str, knock: Knock, answers: Answers) -> None:
    while True:
        status: Any = 0
        try:
            async with session.post(url, data=knock.body, headers=knock.headers(knock.body)) as response:
                status = response.status
        except (aiohttp.ClientError, TimeoutError, OSError):
            pass  # a fault: come again, as providers do
        if status and status < 500:
            break
        answers.again += 1
        await asyncio.sleep(TRY_AGAIN_SECONDS)
    if knock.attack:
        (answers.refused if status == 403 else answers.let_in)[knock.attack] += 1
    elif status != 200:
        raise RuntimeError(f"a genuine body of {knock.provider} was answered {status}")
    else:
        answers.taken += 1
