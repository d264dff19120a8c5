"""Who pushes (VAPID, RFC 8292): a key whose public half every browser was told when it subscribed, and a word signed
with it."""

from __future__ import annotations

import json
import time
from functools import lru_cache

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from django.conf import settings

from delivery.providers.base import setting
from delivery.providers.webpush.sealing import decoded, encoded, point_of

HOLDS_FOR = 12  # hours; push services refuse more than 24


class BadKey(ValueError):
    """VAPID_PRIVATE_KEY cannot be read."""


def public_key() -> str:
    """What a page gives to `pushManager.subscribe` as `applicationServerKey`; empty: web push is not set up. Raises
    BadKey."""
    key = setting("VAPID_PRIVATE_KEY")
    return encoded(point_of(_key(key))) if key else ""


def new_private_key() -> str:
    number = ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value
    return encoded(number.to_bytes(32, "big"))


def authorization(origin: str) -> str:
    """The header for a push service at this origin. Raises BadKey."""
    subject = setting("VAPID_SUBJECT") or f"mailto:{settings.EMAIL_FROM}"
    return _signed(setting("VAPID_PRIVATE_KEY"), origin, subject, int(time.time()) // 3600)


@lru_cache(maxsize=256)
def _signed(text: str, origin: str, subject: str, hour: int) -> str:
    """Signed once an hour for each service: a JWT by ES256."""
    key = _key(text)
    parts = ({"typ": "JWT", "alg": "ES256"}, {"aud": origin, "exp": (hour + HOLDS_FOR) * 3600, "sub": subject})
    told = ".".join(encoded(json.dumps(part, separators=(",", ":")).encode()) for part in parts)
    r, s = decode_dss_signature(key.sign(told.encode(), ec.ECDSA(hashes.SHA256())))
    token = f"{told}.{encoded(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"
    return f"vapid t={token}, k={encoded(point_of(key))}"


@lru_cache(maxsize=4)
def _key(text: str) -> ec.EllipticCurvePrivateKey:
    """Of the 32 bytes in base64url, or of a PEM file."""
    try:
        if text.lstrip().startswith("-----BEGIN"):
            key = load_pem_private_key(text.encode(), password=None)
        else:
            raw = decoded(text)
            key = ec.derive_private_key(int.from_bytes(raw, "big") if len(raw) == 32 else 0, ec.SECP256R1())
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BadKey("VAPID_PRIVATE_KEY is no private key of the curve P-256") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise BadKey("VAPID_PRIVATE_KEY is no private key of the curve P-256")
    return key
