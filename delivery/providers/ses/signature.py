"""AWS Signature Version 4, as much of it as a POST with a body needs. Pure.

Source: docs.aws.amazon.com, "Create a signed AWS API request"; the published examples are the test."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import parse_qsl, quote, urlsplit

ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True)
class Credentials:
    """`token`: only those that hold for a while have one."""

    key_id: str
    secret: str = field(repr=False)
    token: str = field(default="", repr=False)


def headers(
    method: str,
    url: str,
    *,
    body: bytes,
    given: Mapping[str, str],
    credentials: Credentials,
    region: str,
    service: str,
    now: datetime,
) -> dict[str, str]:
    """`given` and what AWS wants beside it: the time, the session's token, and the signature over all of them.
    `now` is aware and UTC; AWS refuses what is five minutes off."""
    address = urlsplit(url)
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    sent = dict(given) | {"X-Amz-Date": stamp}
    if credentials.token:
        sent["X-Amz-Security-Token"] = credentials.token
    signed = {name.lower(): " ".join(value.split()) for name, value in (sent | {"Host": address.netloc}).items()}
    names = ";".join(sorted(signed))
    query = sorted((_escaped(name), _escaped(value)) for name, value in parse_qsl(address.query, True))
    request = "\n".join(
        [
            method,
            quote(address.path or "/", safe="/-_.~%"),
            "&".join(f"{name}={value}" for name, value in query),
            *(f"{name}:{signed[name]}" for name in sorted(signed)),
            "",
            names,
            hashlib.sha256(body).hexdigest(),
        ]
    )
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    to_sign = "\n".join([ALGORITHM, stamp, scope, hashlib.sha256(request.encode()).hexdigest()])
    key = f"AWS4{credentials.secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    authorization = f"{ALGORITHM} Credential={credentials.key_id}/{scope}, SignedHeaders={names}, Signature={signature}"
    return sent | {"Authorization": authorization}


def _escaped(text: str) -> str:
    return quote(text, safe="-_.~")
