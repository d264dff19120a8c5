"""The sandbox signs its webhooks as SendGrid does, with a key that follows from SECRET_KEY: nothing to set up."""

from __future__ import annotations

import base64

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.utils.crypto import salted_hmac

_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256


def _private_key() -> ec.EllipticCurvePrivateKey:
    seed = salted_hmac("delivery.sandbox_key", "webhooks", algorithm="sha512").digest()
    return ec.derive_private_key(int.from_bytes(seed, "big") % (_ORDER - 1) + 1, ec.SECP256R1())


def public_key() -> str:
    """Base64 of the DER form, as SendGrid shows its own."""
    der = (
        _private_key()
        .public_key()
        .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return base64.b64encode(der).decode("ascii")


def sign(timestamp: str, body: bytes) -> str:
    """The value of SendGrid's signature header for this body."""
    return base64.b64encode(_private_key().sign(timestamp.encode() + body, ec.ECDSA(hashes.SHA256()))).decode("ascii")
