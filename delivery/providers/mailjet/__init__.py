"""Mailjet's webhooks (event API).

Settings: MAILJET_WEBHOOK_SECRET, user:password as in the URL that Mailjet was given; several, by comma, while one is
being replaced. Mailjet signs nothing."""

from __future__ import annotations

from delivery.providers.base import Entry
from delivery.providers.mailjet import webhook
from delivery.webhooks.base import Vendor

ENTRIES = (
    Entry(
        "mailjet",
        vendor=Vendor(webhook.is_genuine, webhook.read),
        advised=("MAILJET_WEBHOOK_SECRET",),
        proof="Mailjet signs nothing: write user:password@ before the host; the setting takes the same pair",
    ),
)
