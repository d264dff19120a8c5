"""What vendors post, signed as they sign it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http.request import HttpHeaders
from django.test import Client

from contacts import clock
from delivery.webhooks.base import Knock

Signed = tuple[bytes, Mapping[str, str]]


def headers(given: Mapping[str, str]) -> HttpHeaders:
    """As a request has them: in any case of letters."""
    named = {name.upper().replace("-", "_"): value for name, value in given.items()}
    return HttpHeaders({name if name == "CONTENT_TYPE" else f"HTTP_{name}": value for name, value in named.items()})


def knock(body: bytes, given: Mapping[str, str], *, url: str = "", at: datetime | None = None) -> Knock:
    return Knock(headers(given), body, url, at or datetime(2026, 3, 4, 12, 0, tzinfo=UTC))


def post(provider: str, body: bytes, given: Mapping[str, str], *, query: str = "") -> int:
    path = f"/webhooks/{provider}/" + (f"?{query}" if query else "")
    client = Client(enforce_csrf_checks=True)
    return client.post(path, body, content_type="application/octet-stream", headers=dict(given)).status_code


def mailgun(data: Any, *, token: str = "token", at: int | None = None, key: str = "mailgun key") -> Signed:
    timestamp = str(int(clock.now().timestamp()) if at is None else at)
    signature = hmac.new(key.encode(), f"{timestamp}{token}".encode(), hashlib.sha256).hexdigest()
    signed = {"timestamp": timestamp, "token": token, "signature": signature}
    return json.dumps({"signature": signed, "event-data": data}).encode(), {}


def resend(body: bytes, *, at: float | None = None, secret: bytes = b"resend secret") -> Signed:
    timestamp = str(int(clock.now().timestamp() if at is None else at))
    signature = hmac.new(secret, f"msg_1.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return body, {
        "svix-id": "msg_1",
        "svix-timestamp": timestamp,
        "svix-signature": f"v1,{base64.b64encode(signature).decode()}",
    }


def mailersend(body: bytes, *, secret: str = "mailersend secret") -> Signed:
    return body, {"Signature": hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}


def mandrill(events: str, *, key: str = "mandrill key") -> Signed:
    url = f"{settings.PUBLIC_URL}/webhooks/mandrill/"
    signature = hmac.new(key.encode(), f"{url}mandrill_events{events}".encode(), hashlib.sha1).digest()
    return urlencode({"mandrill_events": events}).encode(), {
        "X-Mandrill-Signature": base64.b64encode(signature).decode()
    }


def twilio(fields: Mapping[str, str], *, query: str = "", token: str = "twilio token") -> Signed:
    url = f"{settings.PUBLIC_URL}/webhooks/twilio/" + (f"?{query}" if query else "")
    told = url + "".join(name + fields[name] for name in sorted(fields))
    signature = base64.b64encode(hmac.new(token.encode(), told.encode(), hashlib.sha1).digest()).decode()
    return urlencode(fields).encode(), {"X-Twilio-Signature": signature}


def basic(body: bytes, *, secret: str = "carillon:secret") -> Signed:
    return body, {"Authorization": f"Basic {base64.b64encode(secret.encode()).decode()}"}


SECRETS: Mapping[str, str] = {
    "MAILGUN_WEBHOOK_SIGNING_KEY": "mailgun key",
    "RESEND_WEBHOOK_SECRET": "whsec_" + base64.b64encode(b"resend secret").decode(),
    "MAILERSEND_WEBHOOK_SECRET": "mailersend secret",
    "MANDRILL_WEBHOOK_KEY": "mandrill key",
    "TWILIO_AUTH_TOKEN": "twilio token",
    "POSTMARK_WEBHOOK_SECRET": "carillon:secret",
    "BREVO_WEBHOOK_SECRET": "carillon:secret",
    "MAILJET_WEBHOOK_SECRET": "carillon:secret",
    "SPARKPOST_WEBHOOK_SECRET": "carillon:secret",
}
SIGN: Mapping[str, Callable[[bytes], Signed]] = {
    "resend": resend,
    "mailersend": mailersend,
    "postmark": basic,
    "brevo": basic,
    "mailjet": basic,
    "sparkpost": basic,
}
