"""Links and pictures of our own (`delivery.public.links`), which report like a provider: their hits are stored where
webhooks are, and folded like them. Nobody posts them."""

from __future__ import annotations

from delivery.providers.base import Entry
from delivery.providers.links import webhook
from delivery.webhooks.base import Vendor

ENTRIES = (
    Entry("links", vendor=Vendor(webhook.is_genuine, webhook.read), channels=frozenset(), title="Our own links"),
)
