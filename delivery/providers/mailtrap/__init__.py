"""Mailtrap's webhooks.

Settings: MAILTRAP_WEBHOOK_SECRET, the webhook's signature secret; several, by comma, while one is being replaced."""

from __future__ import annotations

from delivery.providers.base import Entry
from delivery.providers.mailtrap import webhook
from delivery.webhooks.base import Vendor

ENTRIES = (
    Entry(
        "mailtrap",
        vendor=Vendor(webhook.is_genuine, webhook.read),
        advised=("MAILTRAP_WEBHOOK_SECRET",),
        proof="Mailtrap signs with the signature secret that it shows for the webhook",
    ),
)
