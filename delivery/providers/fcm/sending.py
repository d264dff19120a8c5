"""One message to one registration token, and what Firebase says of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from delivery.devices import FCM, Device
from delivery.providers import exchange
from delivery.providers.base import REJECTED, RETRY, STOP, Answer, setting
from delivery.providers.exchange import Meaning, Request
from delivery.providers.fcm import tokens
from delivery.providers.pushing import GONE, KEPT_SECONDS, Carrier, Notification, Pushing
from delivery.transport import Reply

# By Firebase's own word for the error; the status says the rest.
ERRORS: Mapping[str, Meaning] = {
    "UNREGISTERED": (REJECTED, GONE),
    "SENDER_ID_MISMATCH": (REJECTED, GONE),  # the token of another project
    "INVALID_ARGUMENT": (REJECTED, "invalid_message"),
    "QUOTA_EXCEEDED": (RETRY, "rate_limited"),
    "UNAVAILABLE": (RETRY, "unavailable"),
    "THIRD_PARTY_AUTH_ERROR": (STOP, "no_key_for_apple"),
}
STATUSES: Mapping[int, Meaning] = {404: (REJECTED, GONE)}
TOKEN_FIELD = "message.token"  # noqa: S105  (where in the request the registration token stands)


class Apps(Carrier):
    kind = FCM

    def hindrance(self) -> Answer | None:
        try:
            tokens.token(tokens.account())
        except tokens.BadAccount as error:
            return Answer(STOP, "bad_key", said=str(error))
        except tokens.NoToken as error:
            return error.answer
        return None

    def write(self, device: Device, note: Notification) -> Request:
        account = tokens.account()
        host = setting("FCM_API_URL", "https://fcm.googleapis.com").rstrip("/")
        return Request(
            f"{host}/v1/projects/{quote(account.project, safe='')}/messages:send",
            json.dumps(body(device, note), ensure_ascii=False).encode("utf-8", "replace"),
            {"Authorization": f"Bearer {tokens.token(account)}", "Content-Type": "application/json; charset=utf-8"},
            meaning,
        )


def body(device: Device, note: Notification) -> dict[str, Any]:
    """The app finds our id and where a tap leads in `data`."""
    message: dict[str, Any] = {
        "token": device.target,
        "notification": {"title": note.title, "body": note.words},
        "data": {"mid": note.mid, "url": note.url},
        "android": {"ttl": f"{KEPT_SECONDS}s"},
    }
    return {"message": message}


def meaning(reply: Reply) -> Answer:
    if 200 <= reply.status < 300:
        return exchange.by_status(reply, {}, said="")
    error = _error(reply.body)
    said = str(error.get("message") or reply.body.decode("utf-8", "replace"))
    if reply.status == 401:
        tokens.forget()
    words = list(_words(error))
    if "INVALID_ARGUMENT" in words and TOKEN_FIELD in words:
        return Answer(REJECTED, GONE, reply.status, said)
    known = next((ERRORS[word] for word in words if word in ERRORS), None)
    if known is None:
        return exchange.by_status(reply, STATUSES, said=said)
    return Answer(*known, reply.status, said, exchange.retry_after(reply.headers))


def _error(answer: bytes) -> Mapping[str, Any]:
    try:
        error = json.loads(answer)["error"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    return error if isinstance(error, dict) else {}


def _words(error: Mapping[str, Any]) -> Iterator[str]:
    """Firebase's words for what is wrong and where, the most telling first."""
    details = error.get("details")
    for detail in details if isinstance(details, list) else []:
        if not isinstance(detail, dict):
            continue
        if isinstance(code := detail.get("errorCode"), str):
            yield code
        violations = detail.get("fieldViolations")
        for violation in violations if isinstance(violations, list) else []:
            if isinstance(violation, dict) and isinstance(place := violation.get("field"), str):
                yield place
    if isinstance(status := error.get("status"), str):
        yield status


class Fcm(Pushing):
    name = "fcm"
    carriers = (Apps(),)
