"""Twilio: SMS, what became of them, and what people answer (STOP and START).

Settings: TWILIO_ACCOUNT_SID and TWILIO_FROM (a number, a name, or a messaging service, MG…) to send with;
TWILIO_API_URL, so that a stub can stand in; TWILIO_AUTH_TOKEN, with which we log in and Twilio signs: several, by
comma, while one is being replaced, of which we log in with the first. The status callback of a message is
PUBLIC_URL/webhooks/twilio/?mid=<our id>; messages to our number go to PUBLIC_URL/webhooks/twilio/."""

from __future__ import annotations

from delivery.providers.base import Entry
from delivery.providers.twilio import webhook
from delivery.providers.twilio.sending import Twilio
from delivery.webhooks.base import Vendor

ENTRIES = (
    Entry(
        "twilio",
        Twilio,
        vendor=Vendor(webhook.is_genuine, webhook.read, stored=webhook.stored),
        channels=Twilio.channels,
        proof="Twilio signs with the token with which we log in; give the address to the number's incoming messages",
        proved_by=("TWILIO_AUTH_TOKEN",),
        needed=("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_FROM"),
    ),
)
