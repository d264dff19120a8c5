"""Postmark's webhooks: one object a request, and a secret that we chose in place of a signature."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anymail.webhooks.postmark import PostmarkTrackingWebhookView

from delivery.providers.base import setting
from delivery.providers.postmark import words
from delivery.webhooks import anymail, secrets
from delivery.webhooks.base import Knock
from delivery.webhooks.elements import mapping, text

_view = PostmarkTrackingWebhookView(webhook_secret=anymail.VERIFIED)


def is_genuine(knock: Knock) -> bool:
    return secrets.is_shown(knock, secrets.several(setting("POSTMARK_WEBHOOK_SECRET")))


def _word(element: Mapping[str, Any]) -> str:
    record = text(element.get("RecordType")).lower()
    if record == "subscriptionchange" and element.get("SuppressSending", True):
        return f"{record}:{text(element.get('SuppressionReason')).lower()}"
    return text(element.get("Type")).lower() if record in ("bounce", "spamcomplaint", "") else record


def _agent(element: Mapping[str, Any]) -> str:
    return text(mapping(element.get("Client")).get("Name"))


read = anymail.Dialect(
    "postmark",
    anymail.objects,
    _view.esp_to_anymail_event,
    _word,
    {**words.KINDS, **words.SUBSCRIPTIONS},
    words.LISTED,
    agent=_agent,
).read
