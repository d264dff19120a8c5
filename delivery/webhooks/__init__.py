"""Webhooks of providers, one room each."""

from __future__ import annotations

from collections.abc import Mapping

from django.conf import settings

from delivery import sandbox_key
from delivery.webhooks import sendgrid
from delivery.webhooks.base import Vendor


def _sendgrid_keys() -> list[str]:
    """Several, by comma, while a key is being replaced."""
    return [key.strip() for key in settings.SENDGRID_WEBHOOK_PUBLIC_KEY.split(",") if key.strip()]


def _sandbox_keys() -> list[str]:
    return [sandbox_key.public_key()]


VENDORS: Mapping[str, Vendor] = {
    "sendgrid": Vendor(lambda headers, body: sendgrid.is_genuine(headers, body, _sendgrid_keys()), sendgrid.read),
    "sandbox": Vendor(lambda headers, body: sendgrid.is_genuine(headers, body, _sandbox_keys()), sendgrid.read),
}
