"""The sandbox: mail that goes into a table, and people who are not there and react to it."""

from __future__ import annotations

from delivery.providers.base import Entry
from delivery.providers.sandbox import key
from delivery.providers.sandbox.sending import Sandbox
from delivery.providers.sendgrid import webhook
from delivery.webhooks.base import Vendor

ENTRIES = (
    Entry(
        "sandbox",
        Sandbox,
        # its people report in SendGrid's words, signed with a key of their own
        Vendor(lambda knock: webhook.is_genuine(knock.headers, knock.body, [key.public_key()]), webhook.read),
        channels=Sandbox.channels,
        proof="Its people report by themselves, signed with a key of their own",
    ),
)
