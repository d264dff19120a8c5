"""Twilio's Messages resource: a form goes out, and the status callback that comes back later carries our id.

Settings: TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN (of several the first); TWILIO_FROM, a number, a name, or the id of a
messaging service (MG…); TWILIO_API_URL, so that a stub can stand in. Twilio has no idempotency key, so what it may have
taken is never sent again."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from django.conf import settings

from delivery.providers import exchange
from delivery.providers.base import ACCEPTED, REJECTED, RETRY, STOP, Answer, Letter, Provider, setting
from delivery.providers.exchange import Meaning, Request
from delivery.providers.twilio import words
from delivery.providers.twilio.segments import segments
from delivery.transport import Reply

LONGEST = 1600  # characters that Twilio takes

# What Twilio's own numbers mean (twilio.com/docs/api/errors); the status says the rest.
ERRORS: Mapping[int, Meaning] = {
    14107: (RETRY, "rate_limited"),
    20003: (STOP, "unauthorized"),
    20005: (STOP, "account_not_active"),
    20403: (STOP, "forbidden"),
    20404: (STOP, "no_such_account"),
    20429: (RETRY, "rate_limited"),
    21211: (REJECTED, "invalid_address"),
    21212: (STOP, "invalid_sender"),
    21214: (REJECTED, "invalid_address"),
    21217: (REJECTED, "invalid_address"),
    21265: (REJECTED, "invalid_address"),
    21408: (REJECTED, "region_not_enabled"),
    21421: (REJECTED, "invalid_address"),
    21602: (REJECTED, "no_text"),
    21603: (STOP, "invalid_sender"),
    21604: (REJECTED, "invalid_address"),
    21606: (STOP, "invalid_sender"),
    21607: (STOP, "invalid_sender"),
    21608: (REJECTED, "trial_account"),
    21609: (STOP, "invalid_status_callback"),
    21610: (REJECTED, "unsubscribe"),
    21611: (RETRY, "queue_full"),
    21612: (REJECTED, "cannot_be_reached"),
    21614: (REJECTED, "invalid_address"),
    21617: (REJECTED, "too_long"),
    21659: (STOP, "invalid_sender"),
    21660: (STOP, "invalid_sender"),
    21703: (STOP, "invalid_sender"),
    21705: (STOP, "invalid_sender"),
    30001: (RETRY, "queue_full"),
    30002: (STOP, "account_not_active"),
    63038: (STOP, "daily_limit"),
}


class TooLong(ValueError):
    """More than Twilio takes in one message."""


class NoText(ValueError):
    """There is nothing to send."""


class Twilio(Provider):
    name = "twilio"
    is_throttled = True
    channels = frozenset({"sms"})

    def deliver(self, letters: Iterable[Letter], *, start_before: float) -> dict[str, Answer]:
        return exchange.hand_over(letters, _request, start_before=start_before)


def _request(letter: Letter) -> Request:
    text = letter.text.strip()
    if not text:
        raise NoText
    if len(text) > LONGEST:
        raise TooLong
    account = setting("TWILIO_ACCOUNT_SID")
    token = setting("TWILIO_AUTH_TOKEN").partition(",")[0].strip()
    credentials = base64.b64encode(f"{account}:{token}".encode()).decode("ascii")
    found = segments(text)
    told = f"{found.count} segment{'' if found.count == 1 else 's'} of {found.encoding}"
    return Request(
        f"{setting('TWILIO_API_URL', 'https://api.twilio.com').rstrip('/')}/2010-04-01/Accounts/{quote(account)}"
        "/Messages.json",
        urlencode(body(letter, text), errors="replace").encode("ascii"),
        {"Authorization": f"Basic {credentials}", "Content-Type": "application/x-www-form-urlencoded"},
        lambda reply: meaning(reply, told=told),
    )


def body(letter: Letter, text: str) -> dict[str, str]:
    """The form's fields. Our id is in the address of the callback: Twilio has no other place for it."""
    sender = setting("TWILIO_FROM")
    return {
        "To": letter.to_address,
        "MessagingServiceSid" if sender.startswith("MG") else "From": sender,
        "Body": text,
        "StatusCallback": f"{settings.PUBLIC_URL}/webhooks/twilio/?{urlencode({'mid': letter.mid})}",
    }


def meaning(reply: Reply, *, told: str = "") -> Answer:
    """What a full answer says about the message; `told` is kept of one that was taken."""
    if 200 <= reply.status < 300:
        return Answer(ACCEPTED, code=reply.status, said=told)
    said = _said(reply.body)
    number = said.get("code")
    message = said.get("message")
    words_of_it = f"{number}: {message}" if message else reply.body.decode("utf-8", "replace")
    known = ERRORS.get(number) if isinstance(number, int) and 400 <= reply.status < 500 else None
    if known is None:
        return exchange.by_status(reply, {}, said=words_of_it)
    kind, reason = known
    consequence = words.OPTED_OUT.get(str(number))
    return Answer(kind, reason, reply.status, words_of_it, exchange.retry_after(reply.headers), consequence)


def _said(answer: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(answer)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
