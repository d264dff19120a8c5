"""Mailtrap's webhooks: a list of events in one object, its bytes signed."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from anymail.webhooks.mailtrap import MailtrapTrackingWebhookView

from delivery.providers.base import setting
from delivery.providers.mailtrap import words
from delivery.webhooks import anymail, elements, secrets
from delivery.webhooks.base import Knock
from delivery.webhooks.elements import mapping, text

_view = MailtrapTrackingWebhookView(tracking_secret=anymail.VERIFIED, webhook_secret=anymail.VERIFIED)


def is_genuine(knock: Knock) -> bool:
    keys = secrets.several(setting("MAILTRAP_WEBHOOK_SECRET"))
    expected = [hmac.new(key.encode(), knock.body, hashlib.sha256).hexdigest() for key in keys]
    return secrets.is_one(knock.headers.get("Mailtrap-Signature", ""), expected)


def _found(body: bytes) -> list[Any]:
    return elements.listed(mapping(elements.parsed(body)).get("events"))


def _word(element: Mapping[str, Any]) -> str:
    event = text(element.get("event"))
    category = "".join(filter(str.isalpha, text(element.get("bounce_category")).lower()))
    return f"{event}:otherwise" if event == "bounce" and category not in words.NOBODY_THERE else event


read = anymail.Dialect("mailtrap", _found, _view.esp_to_anymail_event, _word, words.KINDS).read
