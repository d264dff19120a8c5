"""Brevo's transactional webhooks.

Settings: BREVO_WEBHOOK_SECRET, user:password as in the URL that Brevo was given, or its Bearer token, or the value of
the header X-Webhook-Secret; several, by comma, while one is being replaced. Brevo signs nothing."""

from __future__ import annotations

from delivery.providers.base import Entry
from delivery.providers.brevo import webhook
from delivery.webhooks.base import Vendor

ENTRIES = (
    Entry(
        "brevo",
        vendor=Vendor(webhook.is_genuine, webhook.read),
        advised=("BREVO_WEBHOOK_SECRET",),
        proof="Brevo signs nothing: write user:password@ before the host; the setting takes the same pair",
    ),
)
