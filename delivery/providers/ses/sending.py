"""SendEmail of SES v2 with a whole mail as its content."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from contacts import clock
from delivery.providers import exchange, mime
from delivery.providers.base import REJECTED, RETRY, STOP, Answer, Letter, Provider, setting
from delivery.providers.exchange import Meaning, Request
from delivery.providers.ses import signature
from delivery.providers.ses.signature import Credentials
from delivery.transport import Reply

# By the name of the fault, which AWS puts into a header or into the body; then by the status, as everywhere. No key
# makes SES know a second request, and it cannot be asked what became of the first.
FAULTS: Mapping[str, Meaning] = {
    "AccountSuspendedException": (STOP, "account_suspended"),
    "SendingPausedException": (STOP, "sending_paused"),
    "MailFromDomainNotVerifiedException": (STOP, "sender_not_verified"),
    "NotFoundException": (STOP, "configuration_set_not_found"),
    "LimitExceededException": (RETRY, "over_quota"),
    "LimitExceeded": (RETRY, "over_quota"),
    "TooManyRequestsException": (RETRY, "rate_limited"),
    "ThrottlingException": (RETRY, "rate_limited"),
    "Throttling": (RETRY, "rate_limited"),
    "MessageRejected": (REJECTED, "message_rejected"),
    "AccessDeniedException": (STOP, "forbidden"),
    "ExpiredTokenException": (STOP, "unauthorized"),
    "InvalidSignatureException": (STOP, "unauthorized"),
    "UnrecognizedClientException": (STOP, "unauthorized"),
    "MissingAuthenticationTokenException": (STOP, "unauthorized"),
    "IncompleteSignatureException": (STOP, "unauthorized"),
}


DAILY_QUOTA = "Daily message quota exceeded"


class SES(Provider):
    name = "ses"
    marks_starts = True

    def deliver(self, letters: Iterable[Letter], *, start_before: float) -> dict[str, Answer]:
        now = clock.now()
        return exchange.hand_over(letters, lambda letter: request(letter, now=now), start_before=start_before)


def request(letter: Letter, *, now: datetime) -> Request:
    """`letter` is a checked one. Raises Unsendable."""
    region = setting("AWS_REGION")
    url = setting("SES_API_URL", f"https://email.{region}.amazonaws.com").rstrip("/") + "/v2/email/outbound-emails"
    data = json.dumps(body(letter, now=now)).encode()
    headers = signature.headers(
        "POST",
        url,
        body=data,
        given={"Content-Type": "application/json"},
        credentials=Credentials(
            setting("AWS_ACCESS_KEY_ID"), setting("AWS_SECRET_ACCESS_KEY"), setting("AWS_SESSION_TOKEN")
        ),
        region=region,
        service="ses",
        now=now,
    )
    return Request(url, data, headers, meaning)


def body(letter: Letter, *, now: datetime) -> dict[str, Any]:
    """The request's JSON. The tag `mid` comes back with every event."""
    told: dict[str, Any] = {
        "Content": {"Raw": {"Data": base64.b64encode(mime.message(letter, now=now)).decode("ascii")}},
        "Destination": {"ToAddresses": [letter.to_address]},
        "EmailTags": [{"Name": "mid", "Value": letter.mid}],
    }
    configuration = setting("SES_CONFIGURATION_SET")
    if letter.message_class == "transactional":
        configuration = setting("SES_CONFIGURATION_SET_TRANSACTIONAL") or configuration
    return told | {"ConfigurationSetName": configuration} if configuration else told


def meaning(reply: Reply) -> Answer:
    """What an answer says about the message."""
    name, said = _words(reply.body)
    fault = reply.headers.get("x-amzn-ErrorType", "").split(":")[0] or name
    answer = exchange.by_status(reply, {}, said=said)
    if reply.status < 400 or fault not in FAULTS:
        return answer
    kind, reason = FAULTS[fault]
    if kind == RETRY and DAILY_QUOTA in said:
        reason = "over_quota"
    return Answer(kind, reason, reply.status, answer.said, answer.retry_after)


def _words(answer: bytes) -> tuple[str, str]:
    """The name of the fault, if it stands there, and what is said of it."""
    text = answer.decode("utf-8", "replace")
    try:
        told = json.loads(text)
        name = str(told.get("__type") or told.get("code") or "")
        return name.rpartition("#")[2], str(told.get("message") or told.get("Message") or text)
    except (ValueError, AttributeError, RecursionError):
        return "", text
