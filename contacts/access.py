"""Who may use the API: keys with scopes, of which the database knows only the hash.

A secret key is `mk_live_<prefix>_<secret>`, a write key of the tracking API `wk_<prefix>_<secret>`. The prefix finds
the row and is shown in lists; the secret has 256 random bits, so a plain SHA-256 of the whole key cannot be guessed.
A key whose secret is being exchanged opens with either (`contacts.key_rotation`); one of a program that was disabled
opens with neither (`contacts.service_accounts`).
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from contacts import audit, authority, limits

SCOPES = (
    "events:write",
    "contacts:read",
    "contacts:write",
    "workflows:read",
    "workflows:write",
    "workflows:publish",
    "delivery:read",
    "admin",
)
KINDS = ("secret", "browser", "server")
WRITE_KEY_SCOPES = ("events:write",)  # and of the tracking API only, see Key.may

USED_RESOLUTION = timedelta(minutes=1)  # a busy key must not be a hot row
MOST_PER_MINUTE = 1_000_000

_ALPHABET = string.ascii_letters + string.digits
_PREFIX_LENGTH = 8
_SECRET_LENGTH = 43  # 62 ** 43 > 2 ** 256
_KEY = re.compile(r"((?:mk_live|wk)_[A-Za-z0-9]{8})_[A-Za-z0-9]{43}", re.ASCII)


class BadKeyRequest(ValueError):
    """Such a key cannot be made; the message says why."""


@dataclass(frozen=True)
class Key:
    """The key that came with a request. Takes the place of the user: the API knows programs, not people.

    Of write keys only (see `contacts.collect.write_keys`): `allowed_events` and `allowed_origins` (empty: any),
    `identity_secret` (empty: nobody can prove who they are), `last_event_at`. `requests_per_minute`: its own limit, or
    None for that of the installation; whichever secret was shown, the key and its limit are the same."""

    id: int
    name: str
    kind: str
    scopes: frozenset[str]
    allowed_events: frozenset[str] = frozenset()
    allowed_origins: tuple[str, ...] = ()
    identity_secret: str = field(default="", repr=False)
    last_event_at: datetime | None = None
    requests_per_minute: int | None = None

    is_authenticated = True

    def may(self, scope: str) -> bool:
        """`admin` may everything. A write key may nothing here: it is public, or lies in other people's settings."""
        return self.kind == "secret" and (scope in self.scopes or "admin" in self.scopes)


def create_key(
    *,
    name: str,
    kind: str,
    scopes: Sequence[str],
    now: datetime,
    allowed_events: Sequence[str] = (),
    allowed_origins: Sequence[str] = (),
    expires_at: datetime | None = None,
    requests_per_minute: int | None = None,
    service_account: int | None = None,
) -> str:
    """Make a key in the caller's transaction and return it; nobody can ever read it again, unless it is a browser's.

    `kind`: secret · browser · server; what is allowed narrows a browser's key. `expires_at`: from then on it is refused
    (None: never). `requests_per_minute`: None is what the installation allows. `service_account`: the id of the program
    that it belongs to, which must be there and at work. Raises NotAllowed, BadKeyRequest."""
    authority.require("contacts.add_apikey")
    if not name.strip():
        raise BadKeyRequest("a key needs a name, so that you know later what breaks without it")
    if kind not in KINDS:
        raise BadKeyRequest(f"unknown kind {kind!r}; there are {', '.join(KINDS)}")
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown:
        raise BadKeyRequest(f"unknown scope {unknown[0]!r}; there are {', '.join(SCOPES)}")
    if kind == "secret" and not scopes:
        raise BadKeyRequest(f"a secret key needs at least one scope of {', '.join(SCOPES)}")
    if kind != "secret" and set(scopes) - set(WRITE_KEY_SCOPES):
        raise BadKeyRequest("a write key may only append events")
    if expires_at is not None and expires_at <= now:
        raise BadKeyRequest("a key that has expired already would open nothing")
    check_limit(requests_per_minute)
    account = account_at_work(service_account)
    prefix, key = new_secret(kind)
    granted = sorted(set(scopes), key=SCOPES.index) if kind == "secret" else list(WRITE_KEY_SCOPES)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO api_keys (name, kind, prefix, key_hash, scopes, created_at, allowed_events, allowed_origins,
                                  public_key, expires_at, requests_per_minute, service_account_id)
            VALUES (%s, %s, %s, %s, %s::text[], %s, %s::text[], %s::text[], %s, %s, %s, %s)
            """,
            [
                name.strip(),
                kind,
                prefix,
                hashed(key),
                granted,
                now,
                list(allowed_events),
                list(allowed_origins),
                key if kind == "browser" else "",
                expires_at,
                requests_per_minute,
                service_account,
            ],
        )
    said = {
        "expires_at": expires_at.isoformat() if expires_at is not None else None,
        "requests_per_minute": requests_per_minute,
        "service_account": account or None,
    }
    after: dict[str, Any] = {
        "kind": kind,
        "scopes": granted,
        "events": list(allowed_events),
        "origins": list(allowed_origins),
    }
    after |= {name: value for name, value in said.items() if value is not None}
    audit.note("api_key.created", of=("api_key", prefix), name=name.strip(), after=after)
    return key


def revoke(key_id: int, *, now: datetime) -> bool:
    """From now on its requests are refused, in the caller's transaction. Returns whether it was valid. Raises
    NotAllowed."""
    authority.require("contacts.change_apikey")
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE api_keys SET revoked_at = %s WHERE id = %s AND revoked_at IS NULL RETURNING prefix, name",
            [now, key_id],
        )
        row = cursor.fetchone()
    if row is None:
        return False
    before, after = {"revoked": False}, {"revoked": True}
    audit.note("api_key.revoked", of=("api_key", row[0]), name=row[1], before=before, after=after)
    return True


def check_limit(requests_per_minute: int | None) -> None:
    """Raises BadKeyRequest."""
    if requests_per_minute is not None and not 0 < requests_per_minute <= MOST_PER_MINUTE:
        raise BadKeyRequest(f"a key takes between 1 and {MOST_PER_MINUTE:,} requests a minute")


def account_at_work(account_id: int | None) -> str:
    """Its name; empty where none is meant. Raises BadKeyRequest."""
    if account_id is None:
        return ""
    with connection.cursor() as cursor:
        # locked, so that an account is not disabled in between by somebody who does not see this key yet
        cursor.execute("SELECT name, disabled_at FROM service_accounts WHERE id = %s FOR SHARE", [account_id])
        row = cursor.fetchone()
    if row is None:
        raise BadKeyRequest("there is no such service account")
    if row[1] is not None:
        raise BadKeyRequest(f"the service account {row[0]} is disabled")
    return str(row[0])


def new_secret(kind: str) -> tuple[str, str]:
    """A prefix, and the whole key that begins with it."""
    prefix = f"{'mk_live' if kind == 'secret' else 'wk'}_{_random(_PREFIX_LENGTH)}"
    return prefix, f"{prefix}_{_random(_SECRET_LENGTH)}"


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def hashed(key: str) -> bytes:
    return hashlib.sha256(key.encode("ascii")).digest()


def find_key(text: str) -> Key | None:
    """The key that `text` is, if it is valid now: with its secret, or the former one until its time is over. One
    indexed read, and at most once a minute one write.

    An entrance: the read brings the time along."""
    match = _KEY.fullmatch(text)
    if match is None:
        return None
    with connection.cursor() as cursor:
        cursor.execute(_FIND, {"prefix": match[1]})
        row = cursor.fetchone()
        if row is None:
            return None
        (key_id, name, kind, scopes, key_hash, is_former, now, valid, last_used_at,
         types, origins, secret, last_event_at, limit) = row  # fmt: skip
        if not hmac.compare_digest(bytes(key_hash), hashed(text)) or not valid:
            return None
        if last_used_at is None or last_used_at <= now - USED_RESOLUTION:
            cursor.execute(
                _USED_FORMER if is_former else _USED,
                {"now": now, "id": key_id, "before": now - USED_RESOLUTION},
            )
    return Key(key_id, name, kind, frozenset(scopes), frozenset(types), tuple(origins), secret, last_event_at, limit)


# The prefix says which of its two secrets was shown; both are unique, so this reads two indexes and one row.
_FIND = """
SELECT k.id, k.name, k.kind, k.scopes,
       CASE WHEN k.prefix = %(prefix)s THEN k.key_hash ELSE k.former_hash END, k.prefix <> %(prefix)s, now(),
       k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())
       AND (k.prefix = %(prefix)s OR k.former_until > now())
       AND (k.service_account_id IS NULL OR a.disabled_at IS NULL),
       CASE WHEN k.prefix = %(prefix)s THEN k.last_used_at ELSE k.former_used_at END,
       k.allowed_events, k.allowed_origins, k.identity_secret, k.last_event_at, k.requests_per_minute
  FROM api_keys k LEFT JOIN service_accounts a ON a.id = k.service_account_id
 WHERE k.prefix = %(prefix)s OR k.former_prefix = %(prefix)s
"""
_USED = """
UPDATE api_keys SET last_used_at = %(now)s WHERE id = %(id)s AND (last_used_at IS NULL OR last_used_at <= %(before)s)
"""
# by its former secret: the key is used, and somebody has yet to take the new one
_USED_FORMER = """
UPDATE api_keys SET last_used_at = GREATEST(last_used_at, %(now)s), former_used_at = %(now)s
 WHERE id = %(id)s AND former_prefix IS NOT NULL AND (former_used_at IS NULL OR former_used_at <= %(before)s)
"""


def authenticate(header: str) -> Key:
    """The key of an `Authorization` header. Raises NotAuthenticated or AuthenticationFailed (401), TooManyRequests."""
    scheme, _, credentials = header.strip().partition(" ")
    if not header.strip():
        raise _challenged(exceptions.NotAuthenticated("Send your key as 'Authorization: Bearer <api key>'."))
    if scheme.lower() != "bearer":
        raise _challenged(exceptions.AuthenticationFailed("The key must come as 'Authorization: Bearer <api key>'."))
    key = find_key(credentials.strip())
    if key is None:
        raise _challenged(exceptions.AuthenticationFailed("This key is unknown, expired or revoked."))
    authority.become(authority.of_key(key))
    limits.count(key.id, key.requests_per_minute)
    return key


def require(key: Key, scope: str) -> None:
    """Raises PermissionDenied (403) unless the key may."""
    if not key.may(scope):
        raise exceptions.PermissionDenied(_lacks(key, scope))


def _lacks(key: Key, scope: str) -> str:
    if key.kind != "secret":
        return "A write key belongs to the tracking API; this address takes a secret key."
    return f"This key lacks the scope {scope}."


def _challenged(error: exceptions.APIException) -> exceptions.APIException:
    error.auth_header = "Bearer"  # the exception handler answers it as WWW-Authenticate
    return error


class ApiKeyAuthentication(BaseAuthentication):
    """`request.user` and `request.auth` are the Key."""

    def authenticate(self, request: Request) -> tuple[Key, Key] | None:
        header = request.headers.get("Authorization", "")
        if not header:
            return None
        key = authenticate(header)
        return key, key

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class HasScope(BasePermission):
    """The view says what it needs: `required_scope = "contacts:read"`, or one for each method. What a view does not
    say is refused."""

    def has_permission(self, request: Request, view: Any) -> bool:
        method = "GET" if request.method in {"HEAD", "OPTIONS"} else str(request.method)
        required = getattr(view, "required_scope", None)
        if isinstance(required, Mapping):
            required = required.get(method)
        if not isinstance(request.auth, Key):
            return False
        if not hasattr(view, method.lower()):
            raise exceptions.MethodNotAllowed(method)
        if not required:
            return False
        self.message = _lacks(request.auth, required)
        return request.auth.may(required)
