"""SendGrid's event webhook: a signed JSON array, of which any element may be broken without harm to the others."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key
from sendgrid.helpers.eventwebhook import EventWebhookHeader

from contacts.identifiers import canonical_email
from delivery.webhooks import vocabulary
from delivery.webhooks.base import Reading, Report

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LONGEST = 1000  # characters kept of a text
KEPT = ("url", "reason", "response", "status", "type", "bounce_classification", "useragent", "attempt", "sg_event_id")


def is_genuine(headers: Mapping[str, str], body: bytes, keys: Sequence[str]) -> bool:
    """Whether one of the keys (base64 of DER) signed timestamp and body, byte for byte. Without a key nobody did.

    The timestamp is not compared with the clock: SendGrid tries again for a day, and a repetition is harmless."""
    timestamp = headers.get(EventWebhookHeader.TIMESTAMP, "")
    try:
        signature = base64.b64decode(headers.get(EventWebhookHeader.SIGNATURE, ""), validate=True)
        signed = timestamp.encode("latin-1") + body
    except (binascii.Error, UnicodeEncodeError):
        return False
    if not signature:
        return False
    return any(_signed_with(key, signature, signed) for key in keys)


def _signed_with(key: str, signature: bytes, signed: bytes) -> bool:
    try:
        _public_key(key).verify(signature, signed, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


@lru_cache(maxsize=8)
def _public_key(key: str) -> ec.EllipticCurvePublicKey:
    """Raises ValueError for a key that cannot be read: a fault of ours, to be told to whoever runs the installation."""
    try:
        loaded = load_der_public_key(base64.b64decode(key))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueError("SENDGRID_WEBHOOK_PUBLIC_KEY is not the key that SendGrid shows") from error
    if not isinstance(loaded, ec.EllipticCurvePublicKey):
        raise ValueError("SENDGRID_WEBHOOK_PUBLIC_KEY is not an elliptic curve key")
    return loaded


def read(body: bytes, received_at: datetime) -> Reading:
    """The reports in a body. Never raises; an object that stands alone is read as a list of one."""
    try:
        elements = json.loads(body)
    except (ValueError, RecursionError):
        return Reading(unread=("the body is not JSON",))
    if isinstance(elements, dict):
        elements = [elements]
    if not isinstance(elements, list):
        return Reading(unread=("the body is not a list",))
    reports, unread = [], []
    for position, element in enumerate(elements):
        if isinstance(element, dict) and isinstance(element.get("event"), str) and element["event"]:
            reports.append(_report(element, received_at))
        else:
            unread.append(f"element {position} is not an event")
    return Reading(reports, unread)


def _report(element: Mapping[str, Any], received_at: datetime) -> Report:
    event = element["event"].lower()
    kind = _kind(event, element)
    mid, address = _uuid(element.get("mid")), _text(element.get("email"))
    about = _text(element.get("url")) or _text(element.get("reason"))
    told = [mid or canonical_email(address), event, _text(element.get("timestamp")), about]
    return Report(
        mid=mid,
        kind=kind,
        occurred_at=_instant(element.get("timestamp"), received_at),
        address=address,
        is_machine=element.get("sg_machine_open") in (True, "true", 1),
        detail={name: text for name in KEPT if (text := _text(element.get(name)))},
        # the vendor's own id changes between deliveries of one event, so it is not what an event is known by
        dedup=hashlib.sha256(json.dumps(told).encode()).digest(),
        consequence=_consequence(kind, element),
    )


def _kind(event: str, element: Mapping[str, Any]) -> str:
    kind = vocabulary.SENDGRID_EVENTS.get(event, vocabulary.UNKNOWN)
    if kind != vocabulary.HARD_BOUNCE:
        return kind
    by_type = vocabulary.SENDGRID_BOUNCE_TYPES.get(_text(element.get("type")).lower())
    by_class = vocabulary.SENDGRID_BOUNCE_CLASSES.get(_text(element.get("bounce_classification")).lower())
    for_now = vocabulary.SOFT_BOUNCE if _text(element.get("status")).startswith("4.") else None
    return by_type or by_class or for_now or kind


def _consequence(kind: str, element: Mapping[str, Any]) -> tuple[str, str] | None:
    if kind == vocabulary.REJECTED:
        return vocabulary.SENDGRID_DROP_REASONS.get(_text(element.get("reason")).lower())
    return vocabulary.CONSEQUENCES.get(kind)


def _text(value: Any) -> str:
    """A text or a number as text that PostgreSQL takes; anything else is empty."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    try:
        text = str(value)
    except ValueError:  # an integer of thousands of digits
        return ""
    return text[:LONGEST].replace("\x00", "").encode("utf-8", "replace").decode("utf-8").strip()


def _uuid(value: Any) -> str | None:
    try:
        return str(UUID(_text(value)))
    except ValueError:
        return None


def _instant(value: Any, received_at: datetime) -> datetime:
    """Seconds since 1970, as a number or as text; what is no instant, or one to come, is when we heard of it."""
    try:
        instant = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=float(_text(value)))
    except (ValueError, OverflowError):
        return received_at
    return instant if EARLIEST <= instant <= received_at else received_at
