"""SendGrid's v3 mail/send: the official package builds the body, our own transport carries it.

The package's client waits for one answer at a time, and retries nothing but also limits nothing: it is not used."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from email.utils import parsedate_to_datetime
from typing import Any

from django.conf import settings
from sendgrid.helpers.mail import (
    ApiKeyIncludedException,
    Content,
    CustomArg,
    Email,
    Header,
    Mail,
    Personalization,
    Subject,
    To,
)

from delivery import transport
from delivery.providers.base import ACCEPTED, IN_DOUBT, NOT_STARTED, REJECTED, RETRY, STOP, Answer, Letter, Provider
from delivery.transport import Call, NoReply, NotStarted, Reply

# What an answer means. SendGrid has no idempotency key, so what it may have taken is never sent again.
MEANING: Mapping[int, tuple[str, str]] = {
    301: (STOP, "redirected"),
    302: (STOP, "redirected"),
    307: (STOP, "redirected"),
    308: (STOP, "redirected"),
    400: (REJECTED, "invalid_message"),
    401: (STOP, "unauthorized"),
    403: (STOP, "forbidden"),
    404: (REJECTED, "not_found"),
    408: (RETRY, "timeout_at_provider"),
    413: (REJECTED, "too_large"),
    422: (REJECTED, "invalid_message"),
    429: (RETRY, "rate_limited"),
    500: (RETRY, "provider_error"),
    502: (IN_DOUBT, "bad_gateway"),
    503: (RETRY, "unavailable"),
    504: (IN_DOUBT, "gateway_timeout"),
}


class SendGrid(Provider):
    name = "sendgrid"
    is_throttled = True
    does_track = True

    def deliver(self, letters: Iterable[Letter], *, start_before: float) -> dict[str, Answer]:
        answers: dict[str, Answer] = {}
        waiting: dict[str, Future[Answer]] = {}
        for letter in letters:  # the first ones are on their way while the later ones are being written
            try:
                data = json.dumps(body(letter)).encode()
            except (ValueError, TypeError, ApiKeyIncludedException) as error:  # the package's own checks
                answers[letter.mid] = Answer(REJECTED, "invalid_message", said=type(error).__name__)
            else:
                waiting[letter.mid] = transport.start(_send(data, start_before))
        return answers | {mid: answer.result() for mid, answer in waiting.items()}


async def _send(data: bytes, start_before: float) -> Answer:
    try:
        reply = await transport.post(
            f"{settings.SENDGRID_API_URL}/v3/mail/send",
            data=data,
            headers={"Authorization": f"Bearer {settings.SENDGRID_API_KEY}", "Content-Type": "application/json"},
            seconds=settings.ESP_TIMEOUT_SECONDS,
            call=Call(start_before),
        )
    except NotStarted:
        return Answer(NOT_STARTED, "lease_over")
    if isinstance(reply, NoReply):
        kind, reason = (IN_DOUBT, "no_answer") if reply.began else (RETRY, "no_connection")
        return Answer(kind, reason, said=reply.why)
    return meaning(reply)


def meaning(reply: Reply) -> Answer:
    """What a full answer says about the message. A status that we do not know is a doubt: nothing says that it was
    refused."""
    if 200 <= reply.status < 300:
        return Answer(ACCEPTED, code=reply.status)
    unknown = (REJECTED, "refused") if 400 <= reply.status < 500 else (IN_DOUBT, "unknown_answer")
    kind, reason = MEANING.get(reply.status, unknown)
    return Answer(kind, reason, reply.status, _words(reply.body), _retry_after(reply.headers))


def body(letter: Letter) -> dict[str, Any]:
    """The request's JSON. `mid` goes into the personalization's custom arguments and comes back with every webhook."""
    mail = Mail()
    mail.from_email = Email(letter.from_address, _name(letter.from_name) or None)
    mail.subject = Subject(letter.subject or "(no subject)")
    to = Personalization()
    to.add_to(To(letter.to_address))
    to.add_custom_arg(CustomArg("mid", letter.mid))
    for name, value in letter.headers.items():
        to.add_header(Header(name, value))
    mail.add_personalization(to)
    mail.add_content(Content("text/plain", letter.text or " "))
    if letter.html:
        mail.add_content(Content("text/html", letter.html))
    return mail.get()


def _name(name: str) -> str:
    """SendGrid refuses these two in a name."""
    return name.replace(";", " ").replace(",", " ").strip()


def _words(answer: bytes) -> str:
    """What SendGrid says in words: its error messages, or the beginning of whatever it sent."""
    text = answer.decode("utf-8", "replace")
    try:
        errors = json.loads(text)["errors"]
        return "; ".join(str(error["message"]) for error in errors)
    except (ValueError, KeyError, TypeError, RecursionError):
        return text


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds from `Retry-After` (seconds or a date) or from `X-RateLimit-Reset` (a Unix time); instants are measured
    from the answer's own `Date`, by the provider's clock."""
    try:
        given = headers.get("Retry-After", "").strip()
        if given.isdigit():
            return float(given)
        said_at = parsedate_to_datetime(headers.get("Date", "")).timestamp()
        until = parsedate_to_datetime(given).timestamp() if given else float(headers.get("X-RateLimit-Reset", ""))
    except (ValueError, TypeError, OverflowError):
        return None
    return max(until - said_at, 0.0)
