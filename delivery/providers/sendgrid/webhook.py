"""SendGrid's event webhook: a signed JSON array, of which any element may be broken without harm to the others."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key
from sendgrid.helpers.eventwebhook import EventWebhookHeader

from contacts.identifiers import canonical_email
from delivery.providers.base import setting
from delivery.providers.sendgrid import words
from delivery.webhooks import elements, machines, vocabulary
from delivery.webhooks.base import Reading, Report
from delivery.webhooks.elements import text
from delivery.webhooks.machines import Hit, Machine

KEPT = (
    "url", "reason", "response", "status", "type", "bounce_classification", "useragent", "attempt", "sg_event_id",
    "asm_group_id",
)  # fmt: skip


def is_genuine(headers: Mapping[str, str], body: bytes, keys: Sequence[str]) -> bool:
    """Whether one of the keys (base64 of DER) signed timestamp and body, byte for byte. Without a key nobody did.

    The timestamp is not compared with the clock: SendGrid tries again for a day, and a repetition is harmless."""
    timestamp = headers.get(EventWebhookHeader.TIMESTAMP, "")
    try:
        signature = base64.b64decode(headers.get(EventWebhookHeader.SIGNATURE, ""), validate=True)
        signed = timestamp.encode("latin-1") + body
    except ValueError:  # no base64, or no bytes that a header can hold
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
    return elements.reading(
        lambda: elements.listed(elements.parsed(body)), lambda element: [_report(element, received_at)]
    )


def _report(element: Mapping[str, Any], received_at: datetime) -> Report:
    event = element["event"].lower()
    if not event:
        raise ValueError("an event without a name")
    kind = _kind(event, element)
    mid, address = elements.uuid(element.get("mid")), text(element.get("email"))
    about = text(element.get("url")) or text(element.get("reason"))
    seen_by = _machine(kind, element)
    return Report(
        mid=mid,
        kind=kind,
        occurred_at=elements.instant(element.get("timestamp"), received_at),
        address=address,
        is_machine=seen_by is not None,
        detail=elements.kept(element, KEPT) | ({"machine": seen_by.detail} if seen_by else {}),
        # the vendor's own id changes between deliveries of one event, so it is not what an event is known by
        dedup=elements.digest(mid or canonical_email(address), event, text(element.get("timestamp")), about),
        consequence=_consequence(kind, event, element),
    )


def _kind(event: str, element: Mapping[str, Any]) -> str:
    kind = words.EVENTS.get(event, vocabulary.UNKNOWN)
    if kind != vocabulary.HARD_BOUNCE:
        return kind
    by_type = words.BOUNCE_TYPES.get(text(element.get("type")).lower())
    by_class = words.BOUNCE_CLASSES.get(text(element.get("bounce_classification")).lower())
    for_now = vocabulary.SOFT_BOUNCE if text(element.get("status")).startswith("4.") else None
    return by_type or by_class or for_now or kind


def _machine(kind: str, element: Mapping[str, Any]) -> Machine | None:
    """SendGrid tells Apple's machines by itself, and of an open it says so either way."""
    if kind not in (vocabulary.OPENED, vocabulary.CLICKED):
        return None
    reported = element.get("sg_machine_open") in (True, "true", 1)
    return machines.machine(Hit(text(element.get("useragent")), kind == vocabulary.CLICKED, reported=reported))


def _consequence(kind: str, event: str, element: Mapping[str, Any]) -> tuple[str, str] | None:
    if kind == vocabulary.REJECTED:
        return words.DROP_REASONS.get(text(element.get("reason")).lower())
    if event == "group_unsubscribe":
        topic = _topics().get(text(element.get("asm_group_id")))
        return (topic, "unsubscribe") if topic else vocabulary.CONSEQUENCES[kind]
    return vocabulary.CONSEQUENCES.get(kind)


def _topics() -> Mapping[str, str]:
    """Our topics by the numbers of SendGrid's unsubscribe groups."""
    pairs = (pair.partition("=") for pair in setting("SENDGRID_GROUPS").split(","))
    return {number.strip(): topic.strip() for number, _, topic in pairs}
