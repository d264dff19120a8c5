"""Providers, one room each; EMAIL_PROVIDER chooses."""

from __future__ import annotations

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from delivery.providers.base import Provider
from delivery.providers.sandbox import Sandbox
from delivery.providers.sendgrid import SendGrid

PROVIDERS: dict[str, type[Provider]] = {"sandbox": Sandbox, "sendgrid": SendGrid}


def email() -> Provider:
    """The provider of e-mail. Raises ImproperlyConfigured for a name that nobody answers to."""
    try:
        return PROVIDERS[settings.EMAIL_PROVIDER]()
    except KeyError:
        known = ", ".join(sorted(PROVIDERS))
        raise ImproperlyConfigured(f"EMAIL_PROVIDER: {settings.EMAIL_PROVIDER!r} is none of {known}") from None
