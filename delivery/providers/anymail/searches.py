"""Asking a provider whether it has a message. Found is proof; not found is none: it may be known a minute later."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from django.conf import settings

from delivery import transport
from delivery.providers.base import setting
from delivery.transport import Reply

AT_ONCE = 8
PATIENCE = 5.0  # seconds for an answer; who asks has others to look after


async def postmark(mids: Sequence[str]) -> set[str]:
    """By the metadata, in both streams."""
    base = setting("POSTMARK_API_URL", "https://api.postmarkapp.com").rstrip("/")
    headers = {"Accept": "application/json", "X-Postmark-Server-Token": setting("POSTMARK_SERVER_TOKEN")}
    streams = {setting("POSTMARK_STREAM_MARKETING", "broadcast"), setting("POSTMARK_STREAM_TRANSACTIONAL", "outbound")}

    async def has(mid: str) -> bool:
        for stream in sorted(streams):
            asked = {"count": 1, "offset": 0, "metadata_mid": mid, "messagestream": stream}
            told = await _ask(f"{base}/messages/outbound?{urlencode(asked)}", headers)
            if any(_at(each, "Metadata", "mid") == mid for each in _list(told, "Messages")):
                return True
        return False

    return await _those(mids, has)


async def mailgun(mids: Sequence[str]) -> set[str]:
    """By the Message-Id that we gave it."""
    base = setting("MAILGUN_API_URL", "https://api.mailgun.net/v3").rstrip("/")
    login = base64.b64encode(f"api:{setting('MAILGUN_API_KEY')}".encode()).decode("ascii")
    senders = {settings.EMAIL_FROM, getattr(settings, "EMAIL_FROM_TRANSACTIONAL", "") or settings.EMAIL_FROM}

    async def has(mid: str) -> bool:
        for sender in sorted(senders):
            domain = setting("MAILGUN_SENDER_DOMAIN") or sender.rpartition("@")[2]
            asked = {"message-id": message_id(mid, sender), "limit": 5}
            told = await _ask(f"{base}/{domain}/events?{urlencode(asked)}", {"Authorization": f"Basic {login}"})
            if any(_at(each, "user-variables", "mid") == mid for each in _list(told, "items")):
                return True
        return False

    return await _those(mids, has)


def message_id(mid: str, sender: str) -> str:
    """Without the angle brackets."""
    return f"{mid}@{sender.rpartition('@')[2]}"


async def _those(mids: Sequence[str], has: Callable[[str], Awaitable[bool]]) -> set[str]:
    """Those of which it is so, asked a few at a time."""
    places = asyncio.Semaphore(AT_ONCE)

    async def ask(mid: str) -> str | None:
        async with places:
            return mid if await has(mid) else None

    return {mid for mid in await asyncio.gather(*map(ask, mids)) if mid}


async def _ask(url: str, headers: Mapping[str, str]) -> Any:
    reply = await transport.get(url, headers=headers, seconds=PATIENCE)
    if not isinstance(reply, Reply) or reply.status != 200:
        return None
    try:
        return json.loads(reply.body)
    except (ValueError, RecursionError):
        return None


def _list(told: Any, name: str) -> list[Any]:
    value = told.get(name) if isinstance(told, dict) else None
    return value if isinstance(value, list) else []


def _at(told: Any, *path: str) -> Any:
    for name in path:
        told = told.get(name) if isinstance(told, dict) else None
    return told
