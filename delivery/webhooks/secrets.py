"""Secrets that a vendor shows, and signatures made with one. Several hold while one is being replaced."""

from __future__ import annotations

import base64
import contextlib
import hmac
from collections.abc import Sequence

from delivery.webhooks.base import Knock

HEADER = "X-Webhook-Secret"


def several(value: str) -> list[str]:
    """Those of a setting, by comma."""
    return [secret.strip() for secret in value.split(",") if secret.strip()]


def is_shown(knock: Knock, secrets: Sequence[str]) -> bool:
    """Whether the request shows one of them: as user:password in the URL that the vendor was given (Basic), as a Bearer
    token, or in the header X-Webhook-Secret. Without a secret nobody is believed."""
    return any([is_one(shown, secrets) for shown in _shown(knock)])


def is_one(given: str, expected: Sequence[str]) -> bool:
    """Whether it is one of these, in the same time for every wrong one."""
    return any([hmac.compare_digest(given.encode("utf-8", "replace"), each.encode()) for each in expected])


def _shown(knock: Knock) -> list[str]:
    scheme, _, value = knock.headers.get("Authorization", "").partition(" ")
    shown = [knock.headers.get(HEADER, "")]
    if scheme.lower() == "bearer":
        shown.append(value.strip())
    if scheme.lower() == "basic":
        with contextlib.suppress(ValueError):  # no base64, or no text
            shown.append(base64.b64decode(value, validate=True).decode())
    return shown
