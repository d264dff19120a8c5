"""Unsubscribing by the link in a mail: a token that names the mail, and what it does to the address that got it.

A token is the message's public id and an HMAC of it: nothing personal, nothing in sequence, no expiry, and nobody can
make one up. SECRET_KEY_FALLBACKS keep the links of mails alive that were sent before the key was changed."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from delivery import addresses, suppression
from delivery.suppression import NewSuppression
from delivery.webhooks import feedback, vocabulary
from delivery.webhooks.base import Report
from delivery.webhooks.feedback import Sourced

_PURPOSE = b"carillon.unsubscribe:"
_SIGNATURE_BYTES = 16


def token_of(public_id: str) -> str:
    named = UUID(public_id).bytes
    return base64.urlsafe_b64encode(named + _signature(settings.SECRET_KEY, named)).decode("ascii").rstrip("=")


def message_named(token: str) -> str | None:
    """The public id in a token, or None when we did not make it."""
    try:
        whole = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except (binascii.Error, ValueError):
        return None
    named, signature = whole[:16], whole[16:]
    if len(named) != 16 or len(signature) != _SIGNATURE_BYTES:
        return None
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    is_ours = any(hmac.compare_digest(signature, _signature(key, named)) for key in keys)
    return str(UUID(bytes=named)) if is_ours else None


def _signature(key: str, named: bytes) -> bytes:
    return hmac.new(key.encode(), _PURPOSE + named, hashlib.sha256).digest()[:_SIGNATURE_BYTES]


def url_of(public_id: str) -> str:
    return f"{settings.PUBLIC_URL}/u/{token_of(public_id)}"


def headers(url: str) -> Mapping[str, str]:
    """RFC 8058: one click in the mail program, no page."""
    return {"List-Unsubscribe": f"<{url}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}


def unsubscribe(token: str, *, source: str, now: datetime) -> None:
    """Stop all marketing e-mail to the address that got the mail. Commits, then drains; a token that is not ours does
    nothing, and does not say so. `source`: page · one_click."""
    public_id = message_named(token)
    if public_id is None:
        return
    with transaction.atomic(durable=True):
        found = _sent_to(public_id, now=now)
        if found is None:
            return
        message_id, address_id = found
        _note(public_id, source=source, now=now)
        addresses.lock([address_id])
        suppression.record([NewSuppression(address_id, "email", "unsubscribe", source, message_id)], now=now)
    suppression.drain([address_id])


def _sent_to(public_id: str, *, now: datetime) -> tuple[int, int] | None:
    """The message and the row of the address that it was claimed for; of one that was never claimed, the contact's."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT m.id, l.address_id, c.email
              FROM messages m
              LEFT JOIN LATERAL (
                   SELECT address_id FROM contact_send_log
                    WHERE message_id = m.id AND address_id IS NOT NULL ORDER BY id DESC LIMIT 1) l ON true
              LEFT JOIN contacts c ON c.id = m.contact_id
             WHERE m.public_id = %s
            """,
            [public_id],
        )
        row = cursor.fetchone()
    if row is None:
        return None
    message_id, address_id, email = row
    if address_id is None and email:
        address_id = addresses.rows(channel="email", given=[email], now=now)[email]
    return (message_id, address_id) if address_id is not None else None


def _note(public_id: str, *, source: str, now: datetime) -> None:
    """The message's feedback and the contact's event, once, however often the button is pressed."""
    report = Report(
        mid=public_id,
        kind=vocabulary.UNSUBSCRIBED,
        occurred_at=now,
        address="",
        is_machine=False,
        detail={},
        dedup=hashlib.sha256(f"unsubscribe:{public_id}".encode()).digest(),
    )
    feedback.fold([Sourced(report, "carillon", source)], now=now)
