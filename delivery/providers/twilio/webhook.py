"""Twilio's callbacks: the status of a message, and what people write to our number. The signature covers our URL and
the fields of the form, or a digest of the body that stands in the URL."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit, urlunsplit

from delivery.providers.base import setting
from delivery.providers.twilio import words
from delivery.webhooks import elements, forms, secrets, vocabulary
from delivery.webhooks.base import Knock, Reading, Report
from delivery.webhooks.elements import Unread, text

DIGEST = "bodySHA256"
PORTS = {"https": 443, "http": 80}


def is_genuine(knock: Knock) -> bool:
    """Whether one of our tokens signed it. Twilio signs the URL with its port, or without."""
    try:
        told = _signed(knock)
    except (Unread, ValueError):
        return False
    given = knock.headers.get("X-Twilio-Signature", "")
    expected = [
        base64.b64encode(hmac.new(token.encode(), (url + told).encode("utf-8", "replace"), hashlib.sha1).digest())
        for token in secrets.several(setting("TWILIO_AUTH_TOKEN"))
        for url in _spellings(knock.url)
    ]
    return secrets.is_one(given, [each.decode() for each in expected])


def _signed(knock: Knock) -> str:
    """What follows the URL. Raises ValueError for a body that is not the one of the digest, Unread for no form."""
    digests = parse_qs(urlsplit(knock.url).query).get(DIGEST)
    if digests:
        if not secrets.is_one(digests[0].lower(), [hashlib.sha256(knock.body).hexdigest()]):
            raise ValueError("another body")
        return ""
    fields = forms.fields(knock.body)
    return "".join(name + value for name in sorted(fields) for value in sorted(set(fields.getlist(name))))


def _spellings(url: str) -> Iterator[str]:
    parts = urlsplit(url)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    yield url
    yield urlunsplit(parts._replace(netloc=host))
    yield urlunsplit(parts._replace(netloc=f"{host}:{parts.port or PORTS.get(parts.scheme, 443)}"))


def stored(knock: Knock) -> bytes:
    """The form with the URL's query behind it: Twilio has no metadata, so our id comes back there, as `mid`."""
    query = urlsplit(knock.url).query.encode()
    return knock.body + b"&" + query if query and not knock.body.startswith((b"{", b"--")) else knock.body


def read(body: bytes, received_at: datetime) -> Reading:
    """The report in a body. Never raises."""
    return elements.reading(lambda: [_fields(body)], lambda fields: _reports(fields, received_at))


def _fields(body: bytes) -> Mapping[str, Any]:
    return elements.mapping(elements.parsed(body)) if body.startswith(b"{") else forms.fields(body)


def _reports(fields: Mapping[str, Any], received_at: datetime) -> list[Report]:
    named = text(fields.get("MessageSid")) or text(fields.get("SmsSid"))
    status = text(fields.get("MessageStatus")) or text(fields.get("SmsStatus"))
    if not named or not status:
        raise ValueError("not a message")
    if status.lower() == "received":
        return _answer(fields, named, received_at)
    error = text(fields.get("ErrorCode"))
    kind = words.ERRORS.get(error) or words.STATUSES.get(status.lower(), vocabulary.UNKNOWN)
    said = {"word": status, "reason": text(fields.get("ErrorMessage")), "code": error, "twilio_sid": named}
    return [
        Report(
            mid=elements.uuid(fields.get("mid")),
            kind=kind,
            occurred_at=received_at,  # Twilio does not say when
            address=_number(fields.get("To")),
            is_machine=False,
            detail={name: value for name, value in said.items() if value},
            dedup=elements.digest("twilio", named, status),
            consequence=words.OPTED_OUT.get(error) or vocabulary.CONSEQUENCES.get(kind),
            channel="sms",
        )
    ]


def _answer(fields: Mapping[str, Any], named: str, received_at: datetime) -> list[Report]:
    """STOP and START, by the word or by Twilio's own reading of it; what else people write is not ours to read."""
    word = text(fields.get("OptOutType")).lower() or " ".join(text(fields.get("Body")).lower().strip(" .!").split())
    if word not in words.STOP | words.START:
        return []
    does_stop = word in words.STOP
    return [
        Report(
            mid=None,
            kind=vocabulary.UNSUBSCRIBED if does_stop else vocabulary.RESUBSCRIBED,
            occurred_at=received_at,
            address=_number(fields.get("From")),
            is_machine=False,
            detail={"word": word, "twilio_sid": named},
            dedup=elements.digest("twilio", named, "received"),
            consequence=("sms", "unsubscribe") if does_stop else None,
            channel="sms",
            is_last_word=True,
        )
    ]


def _number(value: Any) -> str:
    return text(value).removeprefix("whatsapp:")
