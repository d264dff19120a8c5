"""Signatures after Standard Webhooks (https://www.standardwebhooks.com): whoever gets a request can tell that it is
ours, unchanged, and not an old one sent again.

    webhook-id         stays the same when a request is repeated: the receiver tells repetitions by it
    webhook-timestamp  seconds since 1970, of this attempt
    webhook-signature  v1,<base64 of HMAC-SHA256 over "id.timestamp.body">, one for each secret, with a space between"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime

from django.conf import settings

PREFIX = "whsec_"
_PURPOSE = b"carillon webhook signing secret"


class BadSecret(ValueError):
    """A signing secret cannot be read."""


def secrets() -> list[str]:
    """The secrets of this installation, each `whsec_` and base64: those of WEBHOOK_SIGNING_SECRET (several while one
    takes another's place), or one that is derived from SECRET_KEY."""
    if settings.WEBHOOK_SIGNING_SECRET:
        return list(settings.WEBHOOK_SIGNING_SECRET)
    derived = hmac.new(settings.SECRET_KEY.encode(), _PURPOSE, hashlib.sha256).digest()
    return [PREFIX + base64.b64encode(derived).decode()]


def headers(
    *, webhook_id: str, at: datetime, body: bytes, signed_with: Sequence[str] | None = None
) -> Mapping[str, str]:
    """The three headers of one attempt. `signed_with`: the secrets of the receiver, where it has its own."""
    chosen = secrets() if signed_with is None else signed_with
    timestamp = str(int(at.timestamp()))
    signed = f"{webhook_id}.{timestamp}.".encode() + body
    signatures = (hmac.new(key_of(secret), signed, hashlib.sha256).digest() for secret in chosen)
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{base64.b64encode(signature).decode()}" for signature in signatures),
    }


def key_of(secret: str) -> bytes:
    """The bytes of a secret. Raises BadSecret."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error as error:
        raise BadSecret("WEBHOOK_SIGNING_SECRET: expected whsec_ and base64") from error
    if not 24 <= len(key) <= 64:
        raise BadSecret("WEBHOOK_SIGNING_SECRET: expected 24 to 64 bytes, in base64")
    return key
