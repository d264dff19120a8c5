"""SparkPost's webhooks: a list of wrapped objects, and a secret that we chose in place of a signature."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anymail.signals import AnymailTrackingEvent
from anymail.webhooks.sparkpost import SparkPostTrackingWebhookView

from delivery.providers.base import setting
from delivery.providers.sparkpost import words
from delivery.webhooks import anymail, secrets
from delivery.webhooks.base import Knock
from delivery.webhooks.elements import mapping, text

_view = SparkPostTrackingWebhookView(webhook_secret=anymail.VERIFIED)


def is_genuine(knock: Knock) -> bool:
    return secrets.is_shown(knock, secrets.several(setting("SPARKPOST_WEBHOOK_SECRET")))


def _normalised(element: Any) -> AnymailTrackingEvent | None:
    event_class, event, raw = _view.unwrap_event(element)
    return None if event is None else _view.esp_to_anymail_event(event_class, event, raw)


def _event(element: Mapping[str, Any]) -> Mapping[str, Any]:
    return next((mapping(event) for event in mapping(element.get("msys")).values()), {})


def _word(element: Mapping[str, Any]) -> str:
    event = _event(element)
    name, of_class = text(event.get("type")), text(event.get("bounce_class"))
    if name == "generation_rejection" and "suppressed" in text(event.get("reason")):
        return f"{name}:suppressed"
    return f"{name}:{of_class}" if of_class and name in ("bounce", "out_of_band") else name


def _reported(element: Mapping[str, Any]) -> bool | None:
    """SparkPost marks what Apple's machines fetched."""
    return _event(element).get("is_prefetched") in (True, "true") or None


read = anymail.Dialect(
    "sparkpost",
    anymail.objects,
    _normalised,
    _word,
    words.KINDS,
    words.ON_THEIR_LIST,
    reported=_reported,
).read
