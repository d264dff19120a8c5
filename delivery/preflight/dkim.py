"""DKIM keys (RFC 6376, RFC 8463) in the DNS: whether they are there, whole, not revoked, and long enough."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from delivery.preflight.dns import Resolver
from delivery.preflight.tags import tags_of

SHORT, LONG_ENOUGH = 1024, 2048  # bits of RSA; fewer than SHORT are refused


@dataclass(frozen=True)
class Key:
    """`state`: found · none · revoked · broken · unknown (the DNS did not say). `bits` of RSA, 0 for Ed25519."""

    selector: str
    state: str
    kind: str = ""
    bits: int = 0

    @property
    def said(self) -> str:
        if self.state != "found":
            return f"{self.selector}: {self.state}"
        return f"{self.selector}: {'Ed25519' if self.kind == 'ed25519' else f'RSA, {self.bits} bits'}"


def read(domain: str, selectors: Sequence[str], resolver: Resolver) -> list[Key]:
    """One key for each selector. Never raises."""
    return [_key(selector, f"{selector}._domainkey.{domain}", resolver) for selector in selectors]


def _key(selector: str, name: str, resolver: Resolver) -> Key:
    answer = resolver.ask(name, "TXT")
    if not answer.is_known:
        return Key(selector, "unknown")
    for record in answer.records:
        tags = tags_of(record)
        if tags.get("v", "DKIM1") == "DKIM1" and "p" in tags:
            return _parsed(selector, tags.get("k", "rsa").lower(), "".join(tags["p"].split()))
    return Key(selector, "none")


def _parsed(selector: str, kind: str, public: str) -> Key:
    if not public:
        return Key(selector, "revoked")
    try:
        raw = base64.b64decode(public, validate=True)
        if kind == "ed25519":
            return Key(selector, "found" if len(raw) == 32 else "broken", kind)
        key = load_der_public_key(raw)
    except (ValueError, binascii.Error, UnsupportedAlgorithm):
        return Key(selector, "broken")
    if kind != "rsa" or not isinstance(key, RSAPublicKey):
        return Key(selector, "broken")
    return Key(selector, "found", kind, key.key_size)
