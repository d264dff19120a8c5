"""Who may use the API: keys with scopes, of which the database knows only the hash.

A secret key is `mk_live_<prefix>_<secret>`, a write key of the tracking API `wk_<prefix>_<secret>`. The prefix finds
the row and is shown in lists; the secret has 256 random bits, so a plain SHA-256 of the whole key cannot be guessed.
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
    `identity_secret` (empty: nobody can prove who they are), `last_event_at`."""

    id: int
    name: str
    kind: str
    scopes: frozenset[str]
    allowed_events: frozenset[str] = frozenset()
    allowed_origins: tuple[str, ...] = ()
    identity_secret: str = field(default="", repr=False)
    last_event_at: datetime | None = None

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
) -> str:
    """Make a key in the caller's transaction and return it; nobody can ever read it again, unless it is a browser's.

    `kind`: secret · browser · server; what is allowed narrows a browser's key. Raises BadKeyRequest."""
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
    prefix = f"{'mk_live' if kind == 'secret' else 'wk'}_{_random(_PREFIX_LENGTH)}"
    key = f"{prefix}_{_random(_SECRET_LENGTH)}"
    granted = sorted(set(scopes), key=SCOPES.index) if kind == "secret" else list(WRITE_KEY_SCOPES)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO api_keys (name, kind, prefix, key_hash, scopes, created_at, allowed_events, allowed_origins,
                                  public_key)
            VALUES (%s, %s, %s, %s, %s::text[], %s, %s::text[], %s::text[], %s)
            """,
            [
                name.strip(),
                kind,
                prefix,
                _hash(key),
                granted,
                now,
                list(allowed_events),
                list(allowed_origins),
                key if kind == "browser" else "",
            ],
        )
    return key


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode("ascii")).digest()


def find_key(text: str) -> Key | None:
    """The key that `text` is, if it is valid now. One indexed read, and at most once a minute one write.

    An entrance: the read brings the time along."""
    match = _KEY.fullmatch(text)
    if match is None:
        return None
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT id, name, kind, scopes, key_hash, now(),
                   revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now()), last_used_at,
                   allowed_events, allowed_origins, identity_secret, last_event_at
              FROM api_keys WHERE prefix = %s
            """,
            [match[1]],
        )
        row = cursor.fetchone()
        if row is None:
            return None
        key_id, name, kind, scopes, key_hash, now, valid, last_used_at, types, origins, secret, last_event_at = row
        if not hmac.compare_digest(bytes(key_hash), _hash(text)) or not valid:
            return None
        if last_used_at is None or last_used_at <= now - USED_RESOLUTION:
            cursor.execute(
                """
                UPDATE api_keys SET last_used_at = %s
                 WHERE id = %s AND (last_used_at IS NULL OR last_used_at <= %s)
                """,
                [now, key_id, now - USED_RESOLUTION],
            )
    return Key(key_id, name, kind, frozenset(scopes), frozenset(types), tuple(origins), secret, last_event_at)


def authenticate(header: str) -> Key:
    """The key of an `Authorization` header. Raises NotAuthenticated or AuthenticationFailed (401)."""
    scheme, _, credentials = header.strip().partition(" ")
    if not header.strip():
        raise _challenged(exceptions.NotAuthenticated("Send your key as 'Authorization: Bearer <api key>'."))
    if scheme.lower() != "bearer":
        raise _challenged(exceptions.AuthenticationFailed("The key must come as 'Authorization: Bearer <api key>'."))
    key = find_key(credentials.strip())
    if key is None:
        raise _challenged(exceptions.AuthenticationFailed("This key is unknown, expired or revoked."))
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
