"""Mailgun's webhooks.

Settings: MAILGUN_WEBHOOK_SIGNING_KEY, the account's HTTP webhook signing key; several, by comma, while one is being
replaced. The signature does not cover the body, so a token is good for one body, and for a day."""

from __future__ import annotations

from delivery.providers.base import Entry
from delivery.providers.mailgun import webhook
from delivery.webhooks.base import Vendor

ENTRIES = (
    Entry(
        "mailgun",
        vendor=Vendor(webhook.is_genuine, webhook.read, once=webhook.once),
        advised=("MAILGUN_WEBHOOK_SIGNING_KEY",),
        spf_include="mailgun.org",
        proof="Mailgun signs with the account's HTTP webhook signing key",
    ),
)
