"""Postal's webhooks.

Settings: POSTAL_WEBHOOK_KEY, the public key of the server: the `p=` of its DKIM record, as `postal default-dkim-record`
shows it; several, by comma, while one is being replaced."""

from __future__ import annotations

from delivery.providers.base import Entry
from delivery.providers.postal import webhook
from delivery.webhooks.base import Vendor

ENTRIES = (
    Entry(
        "postal",
        vendor=Vendor(webhook.is_genuine, webhook.read),
        advised=("POSTAL_WEBHOOK_KEY",),
        proof="Postal signs with the key of the server: the setting takes the p= of its DKIM record",
    ),
)
