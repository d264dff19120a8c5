"""A Google service account, and the token that it gets for a signed word: had once an hour, kept in this process."""

from __future__ import annotations

import base64
import json
import threading
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from django.conf import settings

from delivery import transport
from delivery.providers.base import RETRY, STOP, Answer, setting
from delivery.transport import NoReply

SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
SPARE = 120.0  # seconds before its end at which a token is renewed


class BadAccount(ValueError):
    """FCM_SERVICE_ACCOUNT cannot be read; the message says what it lacks."""


class NoToken(Exception):
    """There is no token now; `answer` says whether it may be had later."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.reason)
        self.answer = answer


@dataclass(frozen=True)
class Account:
    project: str
    email: str
    token_url: str
    key_id: str
    private_key: str = field(repr=False)


def account() -> Account:
    """Of the setting. Raises BadAccount."""
    try:
        given = json.loads(setting("FCM_SERVICE_ACCOUNT"))
        return Account(
            project=_text(given["project_id"]),
            email=_text(given["client_email"]),
            token_url=_text(given.get("token_uri") or "https://oauth2.googleapis.com/token"),
            key_id=_text(given.get("private_key_id") or "-"),
            private_key=_text(given["private_key"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadAccount("FCM_SERVICE_ACCOUNT is not the JSON of a service account's key") from error


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("not a text")
    return value


@dataclass
class _Kept:
    token: str = field(default="", repr=False)
    until: float = 0.0  # by time.monotonic()
    of: Account | None = None


_kept = _Kept()
_asking = threading.Lock()


def token(of: Account) -> str:
    """A token that holds for a while yet. Raises NoToken, BadAccount."""
    with _asking:
        if _kept.of != of or time.monotonic() >= _kept.until:
            asked_at = time.monotonic()
            got, seconds = _ask(of)
            _kept.token, _kept.until, _kept.of = got, asked_at + max(seconds - SPARE, 0.0), of
        return _kept.token


def forget() -> None:
    """The token was refused: ask for another one next time."""
    with _asking:
        _kept.until = 0.0


def _ask(of: Account) -> tuple[str, float]:
    form = urlencode({"grant_type": GRANT, "assertion": assertion(of, at=int(time.time()))}).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    seconds = settings.ESP_TIMEOUT_SECONDS
    reply = transport.start(transport.post(of.token_url, data=form, headers=headers, seconds=seconds)).result()
    if isinstance(reply, NoReply):
        raise NoToken(Answer(RETRY, "no_connection", said=reply.why))
    try:
        got = json.loads(reply.body)
        if reply.status == 200:
            return _text(got["access_token"]), float(got["expires_in"])
        said = str(got.get("error", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        said = ""
    kind = STOP if 400 <= reply.status < 500 and reply.status not in {408, 429} else RETRY
    raise NoToken(Answer(kind, "unauthorized" if kind == STOP else "unavailable", reply.status, said))


def assertion(of: Account, *, at: int) -> str:
    """The signed word: a JWT by RS256 (RFC 7523). Raises BadAccount."""
    head = {"alg": "RS256", "typ": "JWT", "kid": of.key_id}
    claims = {"iss": of.email, "scope": SCOPE, "aud": of.token_url, "iat": at, "exp": at + 3600}
    told = f"{_encoded(json.dumps(head).encode())}.{_encoded(json.dumps(claims).encode())}"
    try:
        key = serialization.load_pem_private_key(of.private_key.encode(), password=None)
    except (ValueError, TypeError) as error:
        raise BadAccount("the private key of FCM_SERVICE_ACCOUNT cannot be read") from error
    if not isinstance(key, rsa.RSAPrivateKey):
        raise BadAccount("the private key of FCM_SERVICE_ACCOUNT is no RSA key")
    return f"{told}.{_encoded(key.sign(told.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode("ascii").rstrip("=")
