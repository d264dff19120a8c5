"""The sandbox's people: they open, click, complain and unsubscribe as people do, and their mail servers bounce as mail
servers do. What somebody does follows from the mail's id, so a run can be repeated.

Everything they do comes back the way it would from a provider: signed webhooks over HTTP, and the one-click POST that a
mail program sends. While the web is away they try again."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import unescape
from typing import Any

from django.conf import settings
from django.db import connection
from sendgrid.helpers.eventwebhook import EventWebhookHeader

from contacts import clock
from delivery import transport
from delivery.providers.sandbox import key as sandbox_key
from delivery.transport import Reply

BATCH = 200
PATIENCE = 10.0  # seconds for the web to answer
_LINK = re.compile(r"""<a\b[^>]*?\bhref\s*=\s*["'](https?://[^"'\s>]+)["']""", re.IGNORECASE)
_BROWSER = "Mozilla/5.0 (Sandbox; people)"
_MACHINE = "Mozilla/5.0 (Sandbox; prefetch)"


@dataclass(frozen=True)
class Deed:
    """`after` is in seconds since the mail was received; `target`: the link that is followed."""

    name: str  # arrive · prefetch · open · click · complain · unsubscribe
    after: float
    target: str = ""


FIRST = Deed("arrive", 0.2)


@dataclass(frozen=True)
class Mail:
    """A mail that somebody has to react to now."""

    id: int
    mid: str
    to_address: str
    html: str
    headers: Mapping[str, str]
    received_at: datetime
    reaction: str


class WebIsAway(Exception):
    """The web did not take what was posted; it is posted again later."""


def plan(mid: str, html: str) -> list[Deed]:
    """What becomes of this mail, in order. Pure.

    2 % bounce for good. Of the others 8 % are prefetched by a machine, 55 % opened, 15 % of those clicked where there
    is a link, 0.1 % reported as spam, 1 % answered by unsubscribing: no sender who does nothing wrong is braked."""
    chance = _chances(mid)
    if does_bounce(mid):
        return [FIRST]
    deeds = [FIRST]
    if chance[1] < 0.08:
        deeds.append(Deed("prefetch", 0.25 + 0.2 * chance[2]))
    opened_after = 0.5 + 3.5 * chance[3]
    links = [unescape(link) for link in _LINK.findall(html) if "/u/" not in link]
    if chance[4] < 0.55:
        deeds.append(Deed("open", opened_after))
        if links and chance[5] < 0.15:
            deeds.append(Deed("click", opened_after + 0.3 + 2 * chance[6], links[int(chance[7] * len(links))]))
    if chance[0] > 0.999:
        deeds.append(Deed("complain", opened_after + 3))
    elif chance[0] > 0.989:
        deeds.append(Deed("unsubscribe", opened_after + 3))
    return deeds


def does_bounce(mid: str) -> bool:
    return _chances(mid)[0] < 0.02


def _chances(mid: str) -> list[float]:
    digest = hashlib.sha256(f"sandbox people:{mid}".encode()).digest()
    return [int.from_bytes(digest[at : at + 4], "big") / 2**32 for at in range(0, 32, 4)]


def react_batch() -> bool:
    """Let everybody do what they do next who is due for it. Returns whether anybody was.

    Nothing is locked while the web is waited for: what is posted twice is folded once. Raises WebIsAway."""
    due = _due(clock.now())
    if not due:
        return False
    deeds = {mail.id: _deed(mail) for mail in due}
    events = [event for mail in due for event in _events(mail, deeds[mail.id])]
    leavers = [mail for mail in due if deeds[mail.id].name == "unsubscribe"]
    transport.start(_post_all(events, leavers)).result()
    _go_on(due)
    return True


def _due(now: datetime) -> list[Mail]:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT id, mid::text, to_address, html, headers::text, received_at, reaction FROM sandbox_mails
             WHERE reacts_at <= %s ORDER BY reacts_at LIMIT %s
            """,
            [now, BATCH],
        )
        return [
            Mail(mail_id, mid, to_address, html, json.loads(headers), received_at, reaction)
            for mail_id, mid, to_address, html, headers, received_at, reaction in cursor.fetchall()
        ]


def _deed(mail: Mail) -> Deed:
    return next((deed for deed in plan(mail.mid, mail.html) if deed.name == mail.reaction), FIRST)


def _events(mail: Mail, deed: Deed) -> list[dict[str, Any]]:
    """What SendGrid would report of this deed."""

    def event(name: str, **more: Any) -> dict[str, Any]:
        at = mail.received_at + timedelta(seconds=deed.after)
        told = {"email": mail.to_address, "timestamp": round(at.timestamp(), 3), "event": name, "mid": mail.mid}
        own_id = hashlib.sha256(f"{mail.id}:{name}:{deed.name}".encode()).hexdigest()[:32]
        return {**told, "sg_event_id": own_id, "sg_message_id": f"{mail.mid}.sandbox", **more}

    match deed.name:
        case "arrive" if does_bounce(mail.mid):
            why = {"type": "bounce", "bounce_classification": "Invalid Address", "status": "5.1.1"}
            return [event("processed"), event("bounce", reason="550 5.1.1 nobody lives here", **why)]
        case "arrive":
            return [event("processed"), event("delivered", response="250 OK")]
        case "prefetch":
            return [event("open", sg_machine_open=True, useragent=_MACHINE)]
        case "open":
            return [event("open", sg_machine_open=False, useragent=_BROWSER)]
        case "click":
            return [event("click", url=deed.target, useragent=_BROWSER)]
        case "complain":
            return [event("spamreport")]
    return []  # who unsubscribes tells us, not the provider


async def _post_all(events: Sequence[Mapping[str, Any]], leavers: Sequence[Mail]) -> None:
    posts = [_post_one_click(mail) for mail in leavers]
    if events:
        posts.append(_post_webhook(json.dumps(events).encode()))
    await asyncio.gather(*posts)


async def _post_webhook(body: bytes) -> None:
    timestamp = str(int(time.time()))
    headers = {
        "Content-Type": "application/json",
        EventWebhookHeader.TIMESTAMP: timestamp,
        EventWebhookHeader.SIGNATURE: sandbox_key.sign(timestamp, body),
    }
    await _post(f"{settings.PUBLIC_URL}/webhooks/sandbox/", body, headers)


async def _post_one_click(mail: Mail) -> None:
    """RFC 8058, as a mail program does it."""
    url = mail.headers.get("List-Unsubscribe", "").partition(",")[0].strip().removeprefix("<").removesuffix(">")
    if url:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        await _post(url, b"List-Unsubscribe=One-Click", headers)


async def _post(url: str, data: bytes, headers: Mapping[str, str]) -> None:
    reply = await transport.post(url, data=data, headers=headers, seconds=PATIENCE)
    if not isinstance(reply, Reply) or not 200 <= reply.status < 300:
        raise WebIsAway


def _go_on(mails: Sequence[Mail]) -> None:
    """What they do after this; one that somebody else has moved on meanwhile is left where it is."""
    following = [_following(mail) for mail in mails]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE sandbox_mails s SET reaction = r.following, reacts_at = r.reacts_at
              FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::timestamptz[]) AS r (id, seen, following, reacts_at)
             WHERE s.id = r.id AND s.reaction = r.seen
            """,
            [
                [mail.id for mail in mails],
                [mail.reaction for mail in mails],
                [deed.name if deed else "" for deed in following],
                [
                    mail.received_at + timedelta(seconds=deed.after) if deed else None
                    for mail, deed in zip(mails, following, strict=True)
                ],
            ],
        )


def _following(mail: Mail) -> Deed | None:
    deeds = sorted(plan(mail.mid, mail.html), key=lambda deed: deed.after)
    at = next((i for i, deed in enumerate(deeds) if deed.name == mail.reaction), len(deeds))
    return deeds[at + 1] if at + 1 < len(deeds) else None
