"""Standard Webhooks as a receiver reads them, written from the specification and not from our code."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time

from tests.receiver import Got

TOLERANCE_SECONDS = 300


def verifies(got: Got, secret: str) -> bool:
    """Whether the receiver with this secret believes the request."""
    name, at = got.headers["webhook-id"], got.headers["webhook-timestamp"]
    if abs(int(at) - time.time()) > TOLERANCE_SECONDS:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = base64.b64encode(
        hmac.new(key, b".".join([name.encode(), at.encode(), got.body]), hashlib.sha256).digest()
    )
    return any(
        version == "v1" and hmac.compare_digest(signature.encode(), expected)
        for version, _, signature in (each.partition(",") for each in got.headers["webhook-signature"].split(" "))
    )
