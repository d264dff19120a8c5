"""Resend's webhooks, which Svix signs.

Settings: RESEND_WEBHOOK_SECRET, the endpoint's signing secret (whsec_ and base64); several, by comma, while one is
being replaced."""

from __future__ import annotations

from delivery.providers.base import Entry
from delivery.providers.resend import webhook
from delivery.webhooks.base import Vendor

ENTRIES = (
    Entry(
        "resend",
        vendor=Vendor(webhook.is_genuine, webhook.read),
        advised=("RESEND_WEBHOOK_SECRET",),
        spf_include="amazonses.com",
        dkim_selectors=("resend",),
        proof="Resend signs with the signing secret of the endpoint, which begins with whsec_",
    ),
)
