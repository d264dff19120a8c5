"""Brevo's webhooks: one object a request, and a secret that we chose in place of a signature."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anymail.webhooks.brevo import BrevoTrackingWebhookView

from delivery.providers.base import setting
from delivery.providers.brevo import words
from delivery.webhooks import anymail, secrets
from delivery.webhooks.base import Knock
from delivery.webhooks.elements import text

_view = BrevoTrackingWebhookView(webhook_secret=anymail.VERIFIED)


def is_genuine(knock: Knock) -> bool:
    return secrets.is_shown(knock, secrets.several(setting("BREVO_WEBHOOK_SECRET")))


def _word(element: Mapping[str, Any]) -> str:
    event = text(element.get("event"))
    return "blocked:blacklist" if event == "blocked" and "blacklist" in text(element.get("reason")) else event


def _reported(element: Mapping[str, Any]) -> bool | None:
    return text(element.get("event")) in words.MACHINES or None


def _agent(element: Mapping[str, Any]) -> str:
    return text(element.get("user_agent"))


read = anymail.Dialect(
    "brevo",
    anymail.objects,
    _view.esp_to_anymail_event,
    _word,
    words.KINDS,
    words.ON_THEIR_LIST,
    reported=_reported,
    agent=_agent,
).read
