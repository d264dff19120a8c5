"""A letter by way of Anymail: its payload becomes our request, our reply becomes its response."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import cache
from importlib import import_module
from typing import Any

import requests
from anymail.exceptions import AnymailConfigurationError, AnymailError
from django.core.mail import EmailMultiAlternatives
from requests.exceptions import InvalidSchema, InvalidURL, MissingSchema

from delivery import transport
from delivery.providers import exchange
from delivery.providers.anymail.carrier import Carrier
from delivery.providers.base import ACCEPTED, IN_DOUBT, REJECTED, Answer, Letter, Provider
from delivery.providers.exchange import Misconfigured, Request
from delivery.providers.letters import Unsendable, plain_name
from delivery.transport import Reply

TAKEN = frozenset({"sent", "queued"})
REFUSED = frozenset({"invalid", "rejected", "failed"})


class Anymail(Provider):
    marks_starts = True

    def __init__(self, carrier: Carrier) -> None:
        self.carrier = carrier
        self.name = carrier.name
        self.does_track = carrier.does_track
        self.repeats_within = carrier.repeats_within
        self.can_look_up = carrier.look_up is not None

    def deliver(self, letters: Iterable[Letter], *, start_before: float) -> dict[str, Answer]:
        options = tuple(sorted(self.carrier.options().items()))
        return exchange.hand_over(
            letters,
            lambda letter: request(self.carrier, _backend(self.carrier.backend, options), letter),
            start_before=start_before,
        )

    def look_up(self, mids: Sequence[str]) -> dict[str, Answer]:
        if self.carrier.look_up is None:
            return {}
        found: set[str] = transport.start(self.carrier.look_up(mids)).result()
        return {mid: Answer(ACCEPTED, "looked_up") for mid in found}


@cache
def _backend(module: str, options: tuple[tuple[str, Any], ...]) -> Any:
    try:
        return import_module(f"anymail.backends.{module}").EmailBackend(**dict(options))
    except AnymailConfigurationError as error:
        raise Misconfigured(type(error).__name__) from error


def request(carrier: Carrier, backend: Any, letter: Letter) -> Request:
    """What Anymail makes of a checked letter. Raises Unsendable for what it, or the provider, knows no way to send, and
    Misconfigured for an address of the provider that is none."""
    message = _message(carrier, letter)
    try:
        payload = backend.build_message_payload(message, {})
        params = payload.get_request_params(backend.api_url)
        prepared = requests.Request(**params).prepare()
    except (AnymailConfigurationError, InvalidSchema, InvalidURL, MissingSchema) as error:
        raise Misconfigured(type(error).__name__) from error
    except (AnymailError, ValueError, requests.RequestException) as error:
        raise Unsendable(type(error).__name__) from error
    body: Any = prepared.body or b""
    headers = {name: str(value) for name, value in prepared.headers.items() if name.lower() != "content-length"}
    return Request(
        str(prepared.url),
        body.encode("utf-8") if isinstance(body, str) else body,
        {"Content-Type": "application/json"} | headers | carrier.http_headers(letter),
        lambda reply: meaning(carrier, reply, lambda response: _statuses(backend, response, payload, message)),
    )


def _message(carrier: Carrier, letter: Letter) -> EmailMultiAlternatives:
    name = plain_name(letter.from_name)
    message: Any = EmailMultiAlternatives(
        subject=letter.subject or "(no subject)",
        body=letter.text or " ",
        from_email=f'"{name}" <{letter.from_address}>' if name else letter.from_address,
        to=[letter.to_address],
        headers=dict(letter.headers) | carrier.headers(letter),
    )
    if letter.html:
        message.attach_alternative(letter.html, "text/html")
    for file in letter.attachments:
        message.attach(file.name, file.text, file.content_type)
    if carrier.id_is_tag:
        message.tags = [letter.mid]
    else:
        message.metadata = {"mid": letter.mid}
    if carrier.asks_to_track:
        message.track_opens = message.track_clicks = letter.may_be_tracked
    if particulars := carrier.particulars(letter):
        message.esp_extra = particulars
    return message


def meaning(carrier: Carrier, reply: Reply, statuses: Any) -> Answer:
    """What an answer says about the message. `statuses` reads, by Anymail, what a 2xx says of each recipient: a set of
    its words; it may raise anything."""
    body = _parsed(reply.body)
    said = reply.body.decode("utf-8", "replace")
    code = _code(carrier, body)
    if code in carrier.codes:
        kind, reason = carrier.codes[code]
        return Answer(kind, reason, reply.status, said, exchange.retry_after(reply.headers))
    answer = exchange.by_status(reply, carrier.statuses, said=said)
    if answer.kind != ACCEPTED:
        return answer
    try:
        told = statuses(_response(reply))
    except Exception as error:  # a body that is nothing Anymail expects: "taken" was not said in words we know
        return Answer(IN_DOUBT, "unreadable_answer", reply.status, f"{type(error).__name__}: {said}")
    if told & TAKEN:
        return answer
    if told and told <= REFUSED and not isinstance(body, str):  # a "no" has to be said in its own form
        return Answer(REJECTED, "refused_recipient", reply.status, said)
    return Answer(IN_DOUBT, "unknown_answer", reply.status, said)


def _statuses(backend: Any, response: requests.Response, payload: Any, message: Any) -> set[str]:
    backend.raise_for_status(response, payload, message)
    return {each.status for each in backend.parse_recipient_status(response, payload, message).values()}


def _response(reply: Reply) -> requests.Response:
    response = requests.Response()
    response.status_code = reply.status
    response.headers.update(dict(reply.headers))
    response._content = reply.body
    response.encoding = "utf-8"
    return response


def _parsed(body: bytes) -> Any:
    text = body.decode("utf-8", "replace")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _code(carrier: Carrier, body: Any) -> str:
    try:
        return str(carrier.code(body))
    except (KeyError, TypeError, IndexError):
        return ""
