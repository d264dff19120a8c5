"""SendGrid: the official package builds the message and names the headers, our transport carries it."""

from __future__ import annotations

from django.conf import settings

from delivery.providers.base import Entry
from delivery.providers.sendgrid import webhook
from delivery.providers.sendgrid.sending import SendGrid
from delivery.webhooks.base import Vendor


def _keys() -> list[str]:
    """Several, by comma, while a key is being replaced."""
    return [key.strip() for key in settings.SENDGRID_WEBHOOK_PUBLIC_KEY.split(",") if key.strip()]


ENTRIES = (
    Entry(
        "sendgrid",
        SendGrid,
        Vendor(lambda knock: webhook.is_genuine(knock.headers, knock.body, _keys()), webhook.read),
        needed=("SENDGRID_API_KEY",),
        advised=("SENDGRID_WEBHOOK_PUBLIC_KEY",),
        spf_include="sendgrid.net",
        dkim_selectors=("s1", "s2"),
        proof="SendGrid signs once its signed event webhook is switched on: the setting takes the verification key",
        title="SendGrid",
    ),
)
