"""Unisender Go's webhooks, signed with the API key (UNISENDER_GO_API_KEY) that sends."""

from __future__ import annotations

from delivery.providers.base import Entry
from delivery.providers.unisender_go import webhook
from delivery.webhooks.base import Vendor

ENTRIES = (
    Entry(
        "unisender_go",
        vendor=Vendor(webhook.is_genuine, webhook.read, looks_by_get=True),
        proof="Unisender Go signs with the API key that sends",
        proved_by=("UNISENDER_GO_API_KEY",),
        title="Unisender Go",
    ),
)
