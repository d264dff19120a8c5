"""Postmark's webhooks (deliveries, bounces, spam complaints, opens, clicks, subscription changes).

Settings: POSTMARK_WEBHOOK_SECRET, user:password as in the URL that Postmark was given, or the value of the header
X-Webhook-Secret; several, by comma, while one is being replaced. Postmark signs nothing."""

from __future__ import annotations

from delivery.providers.base import Entry
from delivery.providers.postmark import webhook
from delivery.webhooks.base import Vendor

ENTRIES = (
    Entry(
        "postmark",
        vendor=Vendor(webhook.is_genuine, webhook.read),
        advised=("POSTMARK_WEBHOOK_SECRET",),
        spf_include="spf.mtasv.net",
        proof="Postmark signs nothing: write user:password@ before the host; the setting takes the same pair",
    ),
)
