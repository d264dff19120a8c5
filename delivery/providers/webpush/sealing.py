"""What only the browser can read: a message sealed for one subscription (RFC 8291, with the aes128gcm of RFC 8188).

The RFC's own example is our test. pywebpush does the same, but what it builds upon is not to be had as a wheel, and the
platform installs nothing else."""

from __future__ import annotations

import base64
import os

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

RECORD = 4096  # bytes; a message is one record
LONGEST = 3993  # bytes that fit into it


def seal(
    told: bytes, *, p256dh: str, auth: str, salt: bytes | None = None, key: ec.EllipticCurvePrivateKey | None = None
) -> bytes:
    """The body of the request. `salt` (16 bytes) and `key` are new each time, but in a test. Raises ValueError for what
    is no key of a browser, or does not fit."""
    if len(told) > LONGEST:
        raise ValueError("too long for one record")
    salt, key = salt or os.urandom(16), key or ec.generate_private_key(ec.SECP256R1())
    theirs, ours = decoded(p256dh), point_of(key)
    shared = key.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), theirs))
    secret = _derived(shared, salt=decoded(auth), about=b"WebPush: info\0" + theirs + ours, length=32)
    cipher = AESGCM(_derived(secret, salt=salt, about=b"Content-Encoding: aes128gcm\0", length=16))
    nonce = _derived(secret, salt=salt, about=b"Content-Encoding: nonce\0", length=12)
    head = salt + RECORD.to_bytes(4, "big") + bytes([len(ours)]) + ours
    return head + cipher.encrypt(nonce, told + b"\x02", None)  # 2: the last record


def _derived(secret: bytes, *, salt: bytes, about: bytes, length: int) -> bytes:
    return HKDF(hashes.SHA256(), length, salt, about).derive(secret)


def point_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Its public half, written out: 65 bytes."""
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def decoded(text: str) -> bytes:
    """Base64url, padded or not. Raises ValueError."""
    bare = text.strip().rstrip("=")
    return base64.b64decode(bare + "=" * (-len(bare) % 4), altchars=b"-_", validate=True)


def encoded(raw: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(raw).decode("ascii").rstrip("=")
