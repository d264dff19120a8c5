"""Postal's webhooks: one object a request, its bytes signed with the key that the server signs mail with."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from anymail.signals import AnymailTrackingEvent
from anymail.webhooks.postal import PostalTrackingWebhookView
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from delivery.providers.base import setting
from delivery.providers.postal import words
from delivery.webhooks import anymail, secrets
from delivery.webhooks.base import Knock
from delivery.webhooks.elements import mapping, text

# Postal 3 signs with both; what is older knows the second alone.
SIGNATURES: Mapping[str, hashes.HashAlgorithm] = {
    "X-Postal-Signature-256": hashes.SHA256(),
    "X-Postal-Signature": hashes.SHA1(),  # noqa: S303  (a signature of ours to check, not to make)
}
_CODE = re.compile(r"\b[45]\.\d{1,3}\.\d{1,3}\b")

_view = PostalTrackingWebhookView(webhook_key=anymail.VERIFIED, webhook_secret=anymail.VERIFIED)


def is_genuine(knock: Knock) -> bool:
    keys = secrets.several(setting("POSTAL_WEBHOOK_KEY"))
    for header, algorithm in SIGNATURES.items():
        if given := knock.headers.get(header, ""):
            return any([_has_signed(key, given, knock.body, algorithm) for key in keys])
    return False


def _has_signed(key: str, signature: str, body: bytes, algorithm: hashes.HashAlgorithm) -> bool:
    try:
        public = serialization.load_der_public_key(base64.b64decode(key, validate=True))
        if not isinstance(public, rsa.RSAPublicKey):
            return False
        public.verify(base64.b64decode(signature, validate=True), body, padding.PKCS1v15(), algorithm)
    except (InvalidSignature, UnsupportedAlgorithm, binascii.Error, ValueError):
        return False
    return True


def _normalised(element: Any) -> AnymailTrackingEvent | None:
    """Anymail reads whole requests only; of mail that came in it says nothing."""
    events = _view.parse_events(SimpleNamespace(body=json.dumps(element).encode()))
    return events[0] if events else None


def _word(element: Mapping[str, Any]) -> str:
    event = text(element.get("event")).lower()
    codes = _CODE.findall(text(mapping(element.get("payload")).get("output")))
    return f"{event}:nobody" if event == words.FAILED and codes and codes[0] in words.NOBODY_THERE else event


read = anymail.Dialect("postal", anymail.objects, _normalised, _word, words.KINDS).read
