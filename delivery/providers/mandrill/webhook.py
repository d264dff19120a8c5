"""Mandrill's webhooks: a form whose one field is a JSON list; the signature covers our URL and the form."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from anymail.signals import AnymailTrackingEvent
from anymail.webhooks.mandrill import MandrillCombinedWebhookView

from delivery.providers.base import setting
from delivery.providers.mandrill import words
from delivery.webhooks import anymail, elements, forms, secrets
from delivery.webhooks.base import Knock
from delivery.webhooks.elements import Unread, mapping, text

FIELD = "mandrill_events"

_view = MandrillCombinedWebhookView(webhook_key=anymail.VERIFIED, webhook_secret=anymail.VERIFIED)


def is_genuine(knock: Knock) -> bool:
    try:
        fields = forms.fields(knock.body)
    except Unread:
        return False
    told = knock.url + "".join(name + str(fields[name]) for name in sorted(fields))
    keys = secrets.several(setting("MANDRILL_WEBHOOK_KEY"))
    signatures = [hmac.new(key.encode(), told.encode("utf-8", "replace"), hashlib.sha1).digest() for key in keys]
    given = knock.headers.get("X-Mandrill-Signature", "")
    return secrets.is_one(given, [base64.b64encode(signature).decode() for signature in signatures])


def _found(body: bytes) -> list[Any]:
    return elements.listed(elements.parsed(str(forms.fields(body).get(FIELD, "")).encode("utf-8", "replace")))


def _normalised(element: Any) -> AnymailTrackingEvent:
    return _view.mandrill_tracking_to_anymail_event(element)


def _word(element: Mapping[str, Any]) -> str:
    event = text(element.get("event")) or text(element.get("type"))
    if event != "reject":
        return event
    refused = mapping(mapping(element.get("msg")).get("reject")) or mapping(element.get("reject"))
    return f"{event}:{text(refused.get('reason'))}"


read = anymail.Dialect("mandrill", _found, _normalised, _word, words.KINDS, words.ON_THEIR_LIST).read
