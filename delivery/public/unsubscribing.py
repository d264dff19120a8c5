"""Unsubscribing by the link in a mail: a token that names the mail, and what it does to the address that got it.

A token is the message's public id and an HMAC of it: nothing personal, nothing in sequence, no expiry, and nobody can
make one up. SECRET_KEY_FALLBACKS keep the links of mails alive that were sent before the key was changed."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection

from contacts import transactions
from delivery import addresses, suppression
from delivery.suppression import NewSuppression
from delivery.webhooks import feedback, vocabulary
from delivery.webhooks.base import Report
from delivery.webhooks.feedback import Sourced

REASON = "unsubscribe"  # of a suppression that its person wanted
_PURPOSE = b"carillon.unsubscribe:"
_SIGNATURE_BYTES = 16


@dataclass(frozen=True)
class SentTo:
    """Who got a message. `address_id`: the row of the address that it was claimed for; of one that was never claimed
    None, and `address` is where it would have gone (empty: nowhere). `locale`: the contact's."""

    message_id: int
    channel: str
    contact_id: int
    address_id: int | None
    address: str
    locale: str

    def row(self, *, now: datetime) -> int | None:
        """The row of the address, which is made where there is none."""
        if self.address_id is None and self.address:
            return addresses.rows(channel=self.channel, given=[self.address], now=now)[self.address]
        return self.address_id


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


def preferences_url_of(public_id: str) -> str:
    """The preference centre of whoever got the message: the same token."""
    return f"{settings.PUBLIC_URL}/preferences/{token_of(public_id)}"


def headers(url: str) -> Mapping[str, str]:
    """RFC 8058 and 2369: one click in the mail program, no page; and a mailbox, where there is one for that."""
    ways = f"<{url}>"
    if settings.UNSUBSCRIBE_MAILTO:
        ways += f", <mailto:{settings.UNSUBSCRIBE_MAILTO}?subject={url.rpartition('/')[2]}>"
    return {"List-Unsubscribe": ways, "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}


def unsubscribe(token: str, *, source: str, now: datetime) -> None:
    """Stop all marketing by the message's channel to the address that got it. Commits, then drains; a token that is not
    ours does nothing, and does not say so. `source`: page · one_click."""
    public_id = message_named(token)
    if public_id is None:
        return

    def work(_: datetime) -> int | None:
        sent = sent_to(public_id)
        address_id = sent.row(now=now) if sent else None
        if sent is None or address_id is None:
            return None
        _lock(sent.message_id, address_id)
        _note(public_id, vocabulary.UNSUBSCRIBED, source=source, now=now)
        suppression.record([NewSuppression(address_id, sent.channel, REASON, source, sent.message_id)], now=now)
        return address_id

    address_id = transactions.run(work)  # a mail program asks once: a lock that was not to be had is no answer
    if address_id is not None:
        suppression.drain([address_id])


def undo(token: str, *, evidence: Mapping[str, Any], now: datetime) -> bool:
    """Take back what this very link did, and nothing else: an unsubscription by another mail stands, and so does what
    follows from a bounce, a complaint or a word to us. Commits. `evidence` is kept with the message's feedback. Returns
    whether anything was taken back."""
    public_id = message_named(token)
    if public_id is None:
        return False

    def work(_: datetime) -> bool:
        sent = sent_to(public_id)
        address_id = sent.row(now=now) if sent else None
        if sent is None or address_id is None:
            return False
        _lock(sent.message_id, address_id)
        with connection.cursor() as cursor:
            cursor.execute(
                """
                UPDATE suppressions SET released_at = %s, released_by = 'undo'
                 WHERE address_id = %s AND message_id = %s AND reason = %s AND source IN ('page', 'one_click')
                   AND released_at IS NULL RETURNING id
                """,
                [now, address_id, sent.message_id, REASON],
            )
            released = [suppression_id for (suppression_id,) in cursor.fetchall()]
        if released:
            about = f"{released[0]}:"
            _note(public_id, vocabulary.RESUBSCRIBED, source="page", now=now, about=about, detail=evidence)
        return bool(released)

    return transactions.run(work)


def _lock(message_id: int, address_id: int) -> None:
    """The message, then the address, before anything of the outbox: as by whoever folds a report or sends again."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT FROM messages WHERE id = %s FOR NO KEY UPDATE", [message_id])
    addresses.lock([address_id])


def sent_to(public_id: str) -> SentTo | None:
    """Who got a message, and where; None: there is none. Reads only."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT m.id, m.channel, m.contact_id, l.address_id,
                   COALESCE(CASE m.channel WHEN 'email' THEN c.email WHEN 'sms' THEN c.phone
                                           ELSE c.public_id::text END, ''),
                   COALESCE(c.locale, '')
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
    return SentTo(*row) if row else None


def _note(
    public_id: str, kind: str, *, source: str, now: datetime, about: str = "", detail: Mapping[str, Any] | None = None
) -> None:
    """The message's feedback and the contact's event, once, however often the button is pressed."""
    named = "unsubscribe" if kind == vocabulary.UNSUBSCRIBED else kind
    report = Report(
        mid=public_id,
        kind=kind,
        occurred_at=now,
        address="",
        is_machine=False,
        detail=detail or {},
        dedup=hashlib.sha256(f"{named}:{about}{public_id}".encode()).digest(),
    )
    feedback.fold([Sourced(report, "carillon", source)], now=now)
