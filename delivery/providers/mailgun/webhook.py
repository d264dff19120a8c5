"""Mailgun's webhooks: a JSON object, or a form of the older kind; the signature covers a time and a token."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from anymail.signals import AnymailTrackingEvent
from anymail.webhooks.mailgun import MailgunTrackingWebhookView
from django.utils.datastructures import MultiValueDict

from delivery.providers.base import setting
from delivery.providers.mailgun import words
from delivery.webhooks import anymail, elements, forms, secrets, tokens
from delivery.webhooks.base import Knock, Once
from delivery.webhooks.elements import Unread, mapping, text

EARLY = timedelta(minutes=5)  # by how much Mailgun's clock may be ahead of ours

_view = MailgunTrackingWebhookView(webhook_signing_key=anymail.VERIFIED, webhook_secret=anymail.VERIFIED)


def is_genuine(knock: Knock) -> bool:
    """Whether one of our keys signed its time and token, not longer ago than tokens are remembered."""
    timestamp, token, signature = _signed(knock.body)
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12 and token and signature.isascii()):
        return False
    signed_at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=int(timestamp))
    if not knock.at - tokens.TOLERANCE <= signed_at <= knock.at + EARLY:
        return False
    keys = secrets.several(setting("MAILGUN_WEBHOOK_SIGNING_KEY"))
    told = f"{timestamp}{token}".encode()
    return secrets.is_one(signature, [hmac.new(key.encode(), told, hashlib.sha256).hexdigest() for key in keys])


def once(body: bytes) -> Once:
    """The token, and what came with it: a form's boundary may be another one the next time."""
    _, token, _ = _signed(body)
    if not body.startswith(b"--"):
        return Once(token, body)
    return Once(token, json.dumps(sorted(forms.fields(body).lists())).encode())


def _signed(body: bytes) -> tuple[str, str, str]:
    """Time, token and signature; empty where there is none. Of a form's fields the last: the sender's own variables,
    which come before, may have the same names."""
    try:
        block: Mapping[str, Any] = (
            mapping(mapping(elements.parsed(body)).get("signature")) if body.startswith(b"{") else forms.fields(body)
        )
    except Unread:
        return "", "", ""
    return text(block.get("timestamp")), text(block.get("token")), text(block.get("signature"))


def _found(body: bytes) -> list[Any]:
    return anymail.objects(body) if body.startswith(b"{") else [forms.fields(body)]


def _normalised(element: Any) -> AnymailTrackingEvent:
    if isinstance(element, MultiValueDict):
        return _view.mailgun_legacy_to_anymail_event(element)
    return _view.esp_to_anymail_event(element)


def _word(element: Any) -> str:
    if isinstance(element, MultiValueDict):
        event, code = (text((element.getlist(name) or [""])[0]) for name in ("event", "code"))
        if event == "bounced":
            return "failed:permanent:bounce" if code.startswith("5") else "failed:temporary:bounce"
        return f"{event}:{code}" if code else event
    data = mapping(element.get("event-data"))
    event = text(data.get("event"))
    if event != "failed":
        return event
    word = f"{event}:{text(data.get('severity'))}:{text(data.get('reason'))}"
    return "failed:permanent:policy" if word == "failed:permanent:bounce" and not _nobody_there(data) else word


def _nobody_there(data: Mapping[str, Any]) -> bool:
    """Whether the server's answer says so, or says nothing that we could tell it by."""
    status = mapping(data.get("delivery-status"))
    said = f"{text(status.get('enhanced-code'))} {text(status.get('message'))} {text(status.get('description'))}"
    codes = [word for word in said.replace("\n", " ").split() if word.startswith(("5.", "4.")) and word.count(".") == 2]
    return not codes or codes[0] in words.NOBODY_THERE


def _reported(element: Any) -> bool | None:
    """Mailgun names the machine that it took it for."""
    if isinstance(element, MultiValueDict):
        return None
    return bool(text(mapping(mapping(element.get("event-data")).get("client-info")).get("bot"))) or None


read = anymail.Dialect("mailgun", _found, _normalised, _word, words.KINDS, words.LISTED, reported=_reported).read
