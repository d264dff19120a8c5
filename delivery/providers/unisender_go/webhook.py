"""Unisender Go's webhooks: events by user, or a single one; each body names a hash of itself and of our key."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from anymail.webhooks.unisender_go import UnisenderGoTrackingWebhookView

from delivery.providers.base import setting
from delivery.providers.unisender_go import words
from delivery.webhooks import anymail, elements, secrets
from delivery.webhooks.base import Knock
from delivery.webhooks.elements import Unread, mapping, text

STATUS = "transactional_email_status"  # the only event that is about a message

_view = UnisenderGoTrackingWebhookView(api_key=anymail.VERIFIED, webhook_secret=anymail.VERIFIED)


def is_genuine(knock: Knock) -> bool:
    """The hash is of the body as it came, with the key where the hash stands in it."""
    try:
        shown = text(mapping(elements.parsed(knock.body)).get("auth"))
    except Unread:
        return False
    if not (shown.isascii() and len(shown) == 32):
        return False
    expected = [
        hashlib.md5(knock.body.replace(shown.encode(), key.encode())).hexdigest()  # noqa: S324  (theirs to choose)
        for key in secrets.several(setting("UNISENDER_GO_API_KEY"))
    ]
    return secrets.is_one(shown, expected)


def _found(body: bytes) -> list[Any]:
    told = mapping(elements.parsed(body))
    if "events_by_user" not in told:
        return [told] if told.get("event_name") == STATUS else []
    events = [
        event
        for user in elements.listed(told["events_by_user"])
        for event in elements.listed(mapping(user).get("events") or [])
    ]
    return [mapping(event).get("event_data") for event in events if mapping(event).get("event_name") == STATUS]


def _word(element: Mapping[str, Any]) -> str:
    status = text(element.get("status"))
    why = text(mapping(element.get("delivery_info")).get("delivery_status"))
    return f"{status}:{why}" if status == words.BOUNCED and why else status


read = anymail.Dialect("unisender_go", _found, _view.esp_to_anymail_event, _word, words.KINDS, words.ON_THEIR_LIST).read
