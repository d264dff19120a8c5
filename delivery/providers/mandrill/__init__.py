"""Mandrill's webhooks (Mailchimp Transactional).

Settings: MANDRILL_WEBHOOK_KEY, the webhook's key; several, by comma, while one is being replaced. The signature covers
the URL, so Mandrill is to be given the one that begins with PUBLIC_URL, without a password in it."""

from __future__ import annotations

from delivery.providers.base import Entry
from delivery.providers.mandrill import webhook
from delivery.webhooks.base import Vendor

ENTRIES = (
    Entry(
        "mandrill",
        vendor=Vendor(webhook.is_genuine, webhook.read),
        advised=("MANDRILL_WEBHOOK_KEY",),
        proof="Mandrill signs with the key of the webhook; that covers the address, so give it exactly this one",
    ),
)
