"""SparkPost's webhooks.

Settings: SPARKPOST_WEBHOOK_SECRET, user:password as in SparkPost's basic authentication, or a Bearer token, or the
value of the header X-Webhook-Secret; several, by comma, while one is being replaced. SparkPost signs nothing."""

from __future__ import annotations

from delivery.providers.base import Entry
from delivery.providers.sparkpost import webhook
from delivery.webhooks.base import Vendor

ENTRIES = (
    Entry(
        "sparkpost",
        vendor=Vendor(webhook.is_genuine, webhook.read),
        advised=("SPARKPOST_WEBHOOK_SECRET",),
        proof="SparkPost signs nothing: choose basic authentication there, and write user:password into the setting",
        title="SparkPost",
    ),
)
