"""SendGrid's v3 mail/send: the official package builds the body, our own transport carries it.

The package's client waits for one answer at a time, and retries nothing but also limits nothing: it is not used."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from typing import Any

from django.conf import settings
from sendgrid.helpers.mail import (
    ApiKeyIncludedException,
    Attachment,
    ClickTracking,
    Content,
    CustomArg,
    Email,
    FileContent,
    FileName,
    FileType,
    Header,
    IpPoolName,
    Mail,
    OpenTracking,
    Personalization,
    Subject,
    To,
    TrackingSettings,
)

from delivery.providers import exchange
from delivery.providers.base import REJECTED, RETRY, Answer, Letter, Provider, setting
from delivery.providers.exchange import Meaning, Request
from delivery.providers.letters import plain_name
from delivery.providers.sendgrid import forms
from delivery.transport import Reply

# What an answer means. SendGrid has no idempotency key, so what it may have taken is never sent again.
# The rest is what it is everywhere.
MEANING: Mapping[int, Meaning] = {
    404: (REJECTED, "not_found"),
    500: (RETRY, "provider_error"),  # not accepted, says its documentation
}


class SendGrid(Provider):
    name = "sendgrid"
    marks_starts = True
    is_throttled = True
    does_track = True

    def deliver(self, letters: Iterable[Letter], *, start_before: float) -> dict[str, Answer]:
        return exchange.hand_over(letters, _request, start_before=start_before)


def _request(letter: Letter) -> Request:
    try:
        data = forms.encoded(letter, body, pool=_pool(letter.message_class))
    except (TypeError, ApiKeyIncludedException) as error:  # the package's own checks
        raise ValueError(type(error).__name__) from error
    return Request(
        f"{settings.SENDGRID_API_URL}/v3/mail/send",
        data,
        {"Authorization": f"Bearer {settings.SENDGRID_API_KEY}", "Content-Type": "application/json"},
        meaning,
    )


def meaning(reply: Reply) -> Answer:
    """What a full answer says about the message. A status that we do not know is a doubt: nothing says that it was
    refused."""
    return exchange.by_status(reply, MEANING, said=_words(reply.body))


def body(letter: Letter) -> dict[str, Any]:
    """The request's JSON. `mid` goes into the personalization's custom arguments and comes back with every webhook."""
    mail = Mail()
    mail.from_email = Email(letter.from_address, plain_name(letter.from_name) or None)
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
    for file in letter.attachments:
        content = base64.b64encode(file.text.encode("utf-8", "replace")).decode("ascii")
        mail.add_attachment(Attachment(FileContent(content), FileName(file.name), FileType(file.content_type)))
    if not letter.may_be_tracked:
        mail.tracking_settings = TrackingSettings(
            click_tracking=ClickTracking(enable=False, enable_text=False), open_tracking=OpenTracking(enable=False)
        )
    if pool := _pool(letter.message_class):
        mail.ip_pool_name = IpPoolName(pool)
    return mail.get()


def _words(answer: bytes) -> str:
    """What SendGrid says in words: its error messages, or the beginning of whatever it sent."""
    text = answer.decode("utf-8", "replace")
    try:
        errors = json.loads(text)["errors"]
        return "; ".join(str(error["message"]) for error in errors)
    except (ValueError, KeyError, TypeError, RecursionError):
        return text


def _pool(message_class: str) -> str:
    """The addresses that mail of this class leaves from, where it is not the account's own choice."""
    if message_class == "marketing":
        return setting("SENDGRID_IP_POOL_MARKETING")
    return setting("SENDGRID_IP_POOL_TRANSACTIONAL")
