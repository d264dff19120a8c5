"""Mailjet's webhooks: a list of objects or one that stands alone, and a secret in place of a signature."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anymail.webhooks.mailjet import MailjetTrackingWebhookView

from delivery.providers.base import setting
from delivery.providers.mailjet import words
from delivery.webhooks import anymail, secrets
from delivery.webhooks.base import Knock
from delivery.webhooks.elements import text

_view = MailjetTrackingWebhookView(webhook_secret=anymail.VERIFIED)


def is_genuine(knock: Knock) -> bool:
    return secrets.is_shown(knock, secrets.several(setting("MAILJET_WEBHOOK_SECRET")))


def _word(element: Mapping[str, Any]) -> str:
    event, error = text(element.get("event")), text(element.get("error"))
    if event == "bounce" and element.get("hard_bounce") is True and error not in words.NOT_FOR_GOOD:
        return "bounce:hard"
    if event == "bounce":
        return "bounce:greylisted" if error == "greylisted" else "bounce:soft"
    return f"{event}:{error}" if event == "blocked" else event


read = anymail.Dialect(
    "mailjet", anymail.objects, _view.esp_to_anymail_event, _word, words.KINDS, words.ON_THEIR_LIST
).read
