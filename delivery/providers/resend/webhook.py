"""Resend's webhooks: one object a request, signed as Svix signs (Standard Webhooks under other names)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from anymail.signals import AnymailTrackingEvent
from anymail.webhooks.resend import ResendTrackingWebhookView

from delivery.providers.base import setting
from delivery.providers.resend import words
from delivery.webhooks import anymail, secrets
from delivery.webhooks.base import Knock
from delivery.webhooks.elements import mapping, text

TOLERANCE = 300.0  # seconds, either way; a repetition is signed anew

_view = ResendTrackingWebhookView(webhook_secret=anymail.VERIFIED)
_no_request = SimpleNamespace(headers={})


def is_genuine(knock: Knock) -> bool:
    """Whether one of our secrets signed id, time and body within the past five minutes."""
    named, timestamp = knock.headers.get("svix-id", ""), knock.headers.get("svix-timestamp", "")
    try:
        age = knock.at.timestamp() - float(timestamp)
    except ValueError:
        return False
    if not named or not abs(age) <= TOLERANCE:
        return False
    told = f"{named}.{timestamp}.".encode() + knock.body
    keys = [key for secret in secrets.several(setting("RESEND_WEBHOOK_SECRET")) if (key := _key(secret))]
    expected = [base64.b64encode(hmac.new(key, told, hashlib.sha256).digest()).decode() for key in keys]
    versions = (each.partition(",") for each in knock.headers.get("svix-signature", "").split())
    return any([secrets.is_one(given, expected) for version, _, given in versions if version == "v1"])


def _key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        return b""


def _normalised(element: Any) -> AnymailTrackingEvent:
    return _view.esp_to_anymail_event(element, _no_request)


def _word(element: Mapping[str, Any]) -> str:
    name = text(element.get("type"))
    bounce = mapping(mapping(element.get("data")).get("bounce"))
    if name != "email.bounced":
        return name
    said = text(bounce.get("message"))
    if "suppressed sending" in said or text(bounce.get("subType")).lower() == "suppressed":
        return f"{name}:suppressed"
    kind = text(bounce.get("type")) or ("permanent" if "hard bounce" in said else "undetermined")
    return f"{name}:{kind}"


def _agent(element: Mapping[str, Any]) -> str:
    return text(mapping(mapping(element.get("data")).get("open")).get("userAgent"))


read = anymail.Dialect(
    "resend", anymail.objects, _normalised, _word, words.KINDS, words.ON_THEIR_LIST, agent=_agent
).read
