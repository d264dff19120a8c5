"""Write keys of the tracking API: public by nature (browser), or in other people's settings (server).

A browser's key can be read by everybody, so all that it can do is append events: of the allowed types, from pages of
the allowed origins, and of no type that only we may say. What it may say about a person is decided in `trust`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from django.db import connection

from contacts import access, audit, authority
from contacts.access import BadKeyRequest, Key
from contacts.collect import identity_secrets
from contacts.collect.parsing import LONGEST_TYPE
from contacts.faults import Fault
from contacts.sealing import Unreadable

KINDS = ("browser", "server")
SEEN_RESOLUTION = timedelta(seconds=10)  # the light of the installation page is not slower, a busy key no hot row
MOST_ALLOWED = 200
_MAY = "contacts.change_apikey"

NOT_ALLOWED = Fault("not_allowed", "is of a type that this key may not send")

# What only we may say, since workflows, scores and reports believe it.
_OURS = re.compile(
    r"email_(?:sent|delivered|opened|clicked|bounced|complained|unsubscribed|deferred|rejected)|(?:sms|push)_\w+"
    r"|tag_(?:added|removed)|list_(?:joined|left)|segment_(?:entered|left)|workflow_(?:entered|exited)"
    r"|lifecycle_changed|score_threshold_crossed|send_suppressed\w*"
)
_ORIGIN = re.compile(r"https?://(?:\*\.)?(?:[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")


def create_write_key(
    *,
    name: str,
    kind: str,
    now: datetime,
    events: Iterable[str] = (),
    origins: Iterable[str] = (),
    expires_at: datetime | None = None,
) -> str:
    """Make one in the caller's transaction and return it; nobody can ever read it again. Empty: any event, any origin.
    `expires_at`: None is never. Raises BadKeyRequest."""
    if kind not in KINDS:
        raise BadKeyRequest(f"unknown kind {kind!r}; there are {', '.join(KINDS)}")
    types, pages = _types(events), _origins(origins)
    if kind != "browser" and (types or pages):
        raise BadKeyRequest("only a browser's key can be narrowed; a server is trusted")
    return access.create_key(
        name=name,
        kind=kind,
        scopes=[],
        now=now,
        allowed_events=types,
        allowed_origins=pages,
        expires_at=expires_at,
    )


def narrow(key_id: int, *, events: Iterable[str], origins: Iterable[str]) -> None:
    """Say anew what a browser's key may send, and from where, in the caller's transaction. Raises NotAllowed,
    BadKeyRequest."""
    authority.require(_MAY)
    types, pages = _types(events), _origins(origins)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT prefix, name, allowed_events, allowed_origins FROM api_keys
             WHERE id = %s AND kind = 'browser' FOR NO KEY UPDATE
            """,
            [key_id],
        )
        if (row := cursor.fetchone()) is None:
            return
        prefix, name, former_types, former_pages = row
        cursor.execute(
            "UPDATE api_keys SET allowed_events = %s::text[], allowed_origins = %s::text[] WHERE id = %s",
            [types, pages, key_id],
        )
    before, after = audit.changed(
        {"events": former_types, "origins": former_pages}, {"events": types, "origins": pages}
    )
    if after:
        audit.note("api_key.changed", of=("api_key", prefix), name=name, before=before, after=after)


def renew_identity_secret(key_id: int) -> str:
    """Make and return a new secret of a browser's key, in the caller's transaction: from now on a `user_hash` needs it.
    Raises NotAllowed."""
    secret = secrets.token_urlsafe(32)
    _keep_secret(key_id, secret, deed="identity_secret_renewed")
    return secret


def drop_identity_secret(key_id: int) -> None:
    """Nobody can prove who they are any more, and nobody has to. In the caller's transaction. Raises NotAllowed."""
    _keep_secret(key_id, "", deed="identity_secret_removed")


def _keep_secret(key_id: int, secret: str, *, deed: str) -> None:
    """The entry says whether there is one, never which."""
    authority.require(_MAY)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT prefix, name, identity_secret <> '' FROM api_keys
             WHERE id = %s AND kind = 'browser' FOR NO KEY UPDATE
            """,
            [key_id],
        )
        row = cursor.fetchone()
        if row is None or not (row[2] or secret):
            return
        sealed = identity_secrets.kept(secret)
        cursor.execute("UPDATE api_keys SET identity_secret = %s WHERE id = %s", [sealed, key_id])
    before, after = {"identity_secret": row[2]}, {"identity_secret": bool(secret)}
    audit.note(f"api_key.{deed}", of=("api_key", row[0]), name=row[1], before=before, after=after)


def find(authorization: str, said: str) -> Key | None:
    """The valid write key of a request: of its `Authorization` header (Basic, as the user; or Bearer), else what its
    body says. A header that holds something else (an OAuth token) does not hide the body's."""
    for text in (_from_header(authorization), said.strip()):
        if text.startswith("wk_") and (key := access.find_key(text)) is not None and key.kind in KINDS:
            return key
    return None


def _from_header(header: str) -> str:
    scheme, _, credentials = header.strip().partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip()
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(credentials.strip(), validate=True).decode("ascii").partition(":")[0]
    except (binascii.Error, ValueError):
        return ""


def admits_origin(key: Key, origin: str) -> bool:
    """Whether a page of this origin (the header, empty: none came) may use the key."""
    if key.kind != "browser" or not key.allowed_origins:
        return True
    origin = origin.strip().lower()
    return any(_matches(origin, allowed) for allowed in key.allowed_origins)


def _matches(origin: str, allowed: str) -> bool:
    scheme, star, rest = allowed.partition("*.")
    if not star:
        return origin == allowed
    return origin.startswith(scheme) and origin.endswith(f".{rest}") and len(origin) > len(scheme) + len(rest) + 1


def type_fault(key: Key, event_type: str, *, always: bool) -> Fault | None:
    """Why this key may not send an event of this type, or None. `always`: the message says who somebody is, which no
    list of types has to name."""
    if key.kind != "browser":
        return None
    if _OURS.fullmatch(event_type.strip().lower()):
        return NOT_ALLOWED
    if always or not key.allowed_events or event_type in key.allowed_events:
        return None
    return NOT_ALLOWED


def proves(key: Key, external_id: str, proof: str) -> bool:
    """Whether `proof` is the HMAC-SHA256 of that id, in hexadecimal, with the key's identity secret. Nothing proves
    anything to a secret that was sealed under another SECRET_KEY."""
    if not key.identity_secret or not external_id:
        return False
    try:
        secret = identity_secrets.opened(key.identity_secret)
    except Unreadable:
        return False
    right = hmac.new(secret.encode(), external_id.encode(), hashlib.sha256).hexdigest()
    return hmac.compare_digest(right.encode(), proof.strip().lower().encode("utf-8", "replace"))


def note_event(key: Key, now: datetime) -> None:
    """Remember that events come in, in the caller's transaction and at most once in SEEN_RESOLUTION. Waits for nobody:
    whoever is writing it down now, writes the same."""
    if key.last_event_at is None or key.last_event_at <= now - SEEN_RESOLUTION:
        with connection.cursor() as cursor:
            cursor.execute(
                """
                UPDATE api_keys SET last_event_at = %s
                 WHERE id = (SELECT id FROM api_keys WHERE id = %s FOR NO KEY UPDATE SKIP LOCKED)
                   AND (last_event_at IS NULL OR last_event_at <= %s)
                """,
                [now, key.id, now - SEEN_RESOLUTION],
            )


def _types(events: Iterable[str]) -> list[str]:
    types = list(dict.fromkeys(each.strip() for each in events if each.strip()))
    for each in types:
        if len(each) > LONGEST_TYPE or not each.isprintable():
            raise BadKeyRequest(f"the type of an event has at most {LONGEST_TYPE} characters that can be shown")
        if _OURS.fullmatch(each.lower()):
            raise BadKeyRequest(f"{each} is ours to say: no browser may send it")
    return _few(types, "types of events")


def _origins(origins: Iterable[str]) -> list[str]:
    found: list[str] = []
    for each in origins:
        origin = each.strip().lower().rstrip("/")
        if not origin:
            continue
        if not _ORIGIN.fullmatch(origin):
            raise BadKeyRequest(
                f"{origin[:100]!r} is no origin: write https://www.example.com or https://*.example.com"
            )
        found.append(_without_usual_port(origin))
    return _few(list(dict.fromkeys(found)), "origins")


def _without_usual_port(origin: str) -> str:
    """As browsers write it."""
    usual = {"http": ":80", "https": ":443"}[urlsplit(origin).scheme]
    return origin.removesuffix(usual)


def _few(names: Sequence[str], what: str) -> list[str]:
    if len(names) > MOST_ALLOWED:
        raise BadKeyRequest(f"a key takes at most {MOST_ALLOWED} {what}")
    return list(names)
