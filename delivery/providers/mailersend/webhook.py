"""MailerSend's webhooks: one object a request, its bytes signed."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from anymail.webhooks.mailersend import MailerSendTrackingWebhookView

from delivery.providers.base import setting
from delivery.providers.mailersend import words
from delivery.webhooks import anymail, secrets
from delivery.webhooks.base import Knock
from delivery.webhooks.elements import mapping, text

_view = MailerSendTrackingWebhookView(signing_secret=anymail.VERIFIED, webhook_secret=anymail.VERIFIED)


def is_genuine(knock: Knock) -> bool:
    keys = secrets.several(setting("MAILERSEND_WEBHOOK_SECRET"))
    expected = [hmac.new(key.encode(), knock.body, hashlib.sha256).hexdigest() for key in keys]
    return secrets.is_one(knock.headers.get("Signature", ""), expected)


def _word(element: Mapping[str, Any]) -> str:
    return text(mapping(element.get("data")).get("type"))


read = anymail.Dialect("mailersend", anymail.objects, _view.esp_to_anymail_event, _word, words.KINDS).read
