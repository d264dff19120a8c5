"""MailerSend's webhooks.

Settings: MAILERSEND_WEBHOOK_SECRET, the webhook's signing secret; several, by comma, while one is being replaced."""

from __future__ import annotations

from delivery.providers.base import Entry
from delivery.providers.mailersend import webhook
from delivery.webhooks.base import Vendor

ENTRIES = (
    Entry(
        "mailersend",
        vendor=Vendor(webhook.is_genuine, webhook.read),
        advised=("MAILERSEND_WEBHOOK_SECRET",),
        proof="MailerSend signs with the signing secret of the webhook",
        title="MailerSend",
    ),
)
