"""Double opt-in: a question to an address, and its answer by one button, kept with what a regulator would ask for.

The link's token is an HMAC of a nonce: 192 bits that nobody can make up. Here lies only its hash; the nonce travels
with the message (`signals.opt_in_requested`), and the token is made of it with SECRET_KEY when the mail is written. So
neither the database nor a log nor an event can confirm anything in somebody's place."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection

from contacts import consent, durations, events, signals
from contacts.consent import ALL_TOPICS, GRANTED, Consent
from contacts.events import OwnEvent
from contacts.living import living
from contacts.merged import follow
from contacts.models import OptInRequest

WORDING = "2026-01"  # of the page; raise it when the words of templates/contacts/confirm.html change
CONFIRMED = "subscription_confirmed"
_PURPOSE = b"carillon.confirm:"
_TOKEN_BYTES = 24


class NobodyToAsk(ValueError):
    """The contact has no e-mail address."""


@dataclass(frozen=True)
class Answer:
    """Who pressed the button: `ip` and `user_agent` as the request had them."""

    ip: str
    user_agent: str


def token_of(nonce: str) -> str:
    signature = hmac.new(settings.SECRET_KEY.encode(), _PURPOSE + nonce.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(signature[:_TOKEN_BYTES]).decode("ascii")


def url_of(nonce: str) -> str:
    return f"{settings.PUBLIC_URL}/confirm/{token_of(nonce)}"


def request(
    contact_id: int, *, topics: Sequence[str] = (), evidence: Mapping[str, Any], source: str, now: datetime
) -> int:
    """Ask the contact by mail whether they want this, in the caller's transaction. Returns the request's id.

    `topics` empty: all marketing. `evidence`: the form, its wording, the address that asked. Raises NobodyToAsk."""
    if not living().filter(pk=contact_id).exclude(email="").exists():
        raise NobodyToAsk("the contact has no e-mail address")
    nonce = secrets.token_urlsafe(16)
    made = OptInRequest.objects.create(
        token_hash=_hash(token_of(nonce)),
        contact_id=contact_id,
        topics=sorted(set(topics)),
        requested_at=now,
        expires_at=now + durations.window(settings.OPT_IN_LIFETIME, speed=1.0),
        evidence={"asked": {**evidence, "source": source}},
    )
    signals.opt_in_requested.send(sender=OptInRequest, contact_id=contact_id, request_id=made.pk, nonce=nonce, now=now)
    return made.pk


def confirm(token: str, answer: Answer, *, now: datetime) -> bool:
    """Grant what the request behind this token asked for, in the caller's transaction. Returns whether there was one
    that is neither answered nor too old; whoever answers the browser must not tell."""
    asked = _take(token, now=now)
    if asked is None:
        return False
    request_id, asked_id, topics, requested_at, evidence = asked
    contact_id = _living(asked_id)
    if contact_id is None:
        return False
    evidence = {
        **evidence,
        "answered": {"ip": answer.ip, "user_agent": answer.user_agent[:500], "wording": WORDING, "at": now.isoformat()},
        "requested_at": requested_at.isoformat(),
        "opt_in_request": request_id,
    }
    # before the contact is locked: addresses are locked first everywhere
    signals.opt_in_confirmed.send(sender=OptInRequest, contact_id=contact_id, topics=tuple(topics), now=now)
    consent.record(
        [Consent(contact_id, "marketing", GRANTED, topic, evidence) for topic in topics or [ALL_TOPICS]],
        source="confirm",
        now=now,
    )
    OptInRequest.objects.filter(pk=request_id).update(confirmed_at=now, evidence=evidence)
    events.record_own([OwnEvent(contact_id, CONFIRMED, {"topics": topics}, key=f"opt_in:{request_id}")], now=now)
    return True


def _take(token: str, *, now: datetime) -> tuple[int, int, list[str], datetime, dict[str, Any]] | None:
    """Lock the request, so that a button pressed twice is one answer."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT id, contact_id, topics::text, requested_at, evidence::text FROM opt_in_requests
             WHERE token_hash = %s AND confirmed_at IS NULL AND expires_at > %s FOR UPDATE
            """,
            [_hash(token), now],
        )
        row = cursor.fetchone()
    return (row[0], row[1], json.loads(row[2]), row[3], json.loads(row[4])) if row else None


def _living(contact_id: int) -> int | None:
    def read(contact_ids: Sequence[int]) -> dict[int, tuple[int | None, None]]:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT id, merged_into_id FROM contacts WHERE id = ANY(%s) AND erased_at IS NULL", [list(contact_ids)]
            )
            return {asked: (into, None) for asked, into in cursor.fetchall()}

    found = follow([contact_id], read)
    return found[contact_id][0] if contact_id in found else None


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
