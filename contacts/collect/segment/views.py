"""The addresses of Segment's HTTP tracking API, and those that its browser client adds.

What Segment documents, what its clients do, and what we decided:

* Every request that was understood is answered 200 `{"success": true}`, exactly so: clients look at nothing else. A bad
  message of a batch takes no other along; it is kept in the quarantine and counted, and the batch is still a success,
  because a client would send all of it again or drop all of it. A bad message that came alone is kept and counted too,
  and answered 400, which every client takes as "do not send this again".
* 400 the body is no JSON, no batch or no sound gzip · 401 no valid write key · 403 a page of an origin that the key
  does not allow · 404 · 405 · 413 larger than 500 KiB unpacked, or alone and larger than 32 KiB (Segment: 400) · 429
  the quota is used up, with `Retry-After`, which the clients obey · 503 the database cannot take it now: clients send
  it again. Bodies are `{"code", "message"}`; no value that was sent is repeated in them.
* Every answer, errors too, may be read by any origin, without cookies: the key is what counts. Nothing is redirected,
  since a POST that is redirected arrives as a GET.
* `/v1/import`, the door for history, is the bulk lane, and so is a batch with `"lane": "bulk"`.
* Programs that say they are bots are answered like everybody else, and only counted.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial, wraps
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from rest_framework.exceptions import APIException

from contacts import quarantine, tallies, transactions
from contacts.access import Key
from contacts.collect import strict_json, write_keys
from contacts.collect.segment import bodies, intake, quota, senders
from contacts.collect.segment.intake import Taken, source_of
from contacts.collect.segment.messages import (
    MOST_MESSAGES,
    PROOF,
    TOO_MANY,
    Envelope,
    Message,
    read_envelope,
    read_message,
)
from contacts.collect.strict_json import NotJson, TooManyValues
from contacts.faults import Fault
from contacts.problems import BadRequest, TooLarge
from contacts.quarantine import Refused

log = logging.getLogger(__name__)

BOT = "bot"  # the outcome under which their messages are counted
TOO_BIG = "too_large"  # the code of a message beyond 32 KiB

_EVERYBODY = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Retry-After",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "X-Content-Type-Options": "nosniff",
}
_PREFLIGHT = {
    # the names that clients send of their own, and room for what a page adds
    "Access-Control-Allow-Headers": "authorization, content-type, content-encoding, x-retry-count, *",
    "Access-Control-Max-Age": "7200",
}
_SECRETS = re.compile(rf'("(?:{PROOF}|writeKey)"\s*:\s*)"(?:[^"\\]|\\.)*"')

View = Callable[..., HttpResponse]


class Refusal(Exception):
    """The whole request is answered so."""

    def __init__(self, status: HTTPStatus, code: str, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, headers


def _open(*methods: str) -> Callable[[View], View]:
    """For any origin, by these methods; errors in Segment's shape."""
    allowed = ", ".join([*methods, "OPTIONS"])

    def decorate(view: View) -> View:
        @csrf_exempt
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            response: HttpResponse
            if request.method == "OPTIONS":
                response = HttpResponse(status=HTTPStatus.NO_CONTENT, headers={"Allow": allowed, **_PREFLIGHT})
                response["Access-Control-Allow-Methods"] = allowed
            elif request.method not in methods:
                response = _error(
                    HTTPStatus.METHOD_NOT_ALLOWED, "method_not_allowed", f"Use {methods[0]}.", Allow=allowed
                )
            else:
                response = _answered(view, request, *args, **kwargs)
            for name, value in _EVERYBODY.items():
                response[name] = value
            return response

        return guarded

    return decorate


def _answered(view: View, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
    try:
        return view(request, *args, **kwargs)
    except Refusal as refusal:
        return _error(refusal.status, refusal.code, refusal.message, **refusal.headers)
    except BadRequest as error:
        code = error.faults[0].code if error.faults else error.default_code
        return _error(HTTPStatus.BAD_REQUEST, code, str(error.detail))
    except APIException as error:
        return _error(HTTPStatus(error.status_code), error.default_code, str(error.detail))
    except (OperationalError, InterfaceError) as error:
        log.warning("the database refused messages: %s", type(error.__cause__ or error).__name__)
        return _error(
            HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", "Send it again in a moment.", **{"Retry-After": "1"}
        )


def _error(status: HTTPStatus, code: str, message: str, **headers: str) -> HttpResponse:
    return JsonResponse({"code": code, "message": message}, status=status, headers=headers)


@_open("POST")
def record(request: HttpRequest, *, kind: str, lane: str = "") -> HttpResponse:
    """One message of this kind, or a batch where `kind` is empty."""
    body = bodies.read(request)
    envelope = read_envelope(_json(body), kind)
    if lane:
        envelope = replace(envelope, lane=lane)
    key = write_keys.find(request.headers.get("Authorization", ""), envelope.write_key)
    if key is None:
        raise Refusal(
            HTTPStatus.UNAUTHORIZED,
            "invalid_write_key",
            "This needs a valid write key: as the user of Basic, as Bearer, or as writeKey in the body.",
        )
    if not write_keys.admits_origin(key, request.headers.get("Origin", "")):
        raise Refusal(HTTPStatus.FORBIDDEN, "origin_refused", "This key may not be used by pages of this origin.")
    if envelope.elements:
        faults = _take(request, key, envelope, body)
        if envelope.kind and faults:
            _refuse(faults[0])
    return JsonResponse({"success": True})


def _json(body: bytes) -> Any:
    try:
        return strict_json.read(body)
    except TooManyValues as error:
        raise TooLarge("The body holds too many values.") from error
    except NotJson as error:
        raise BadRequest("The body is not JSON.", [Fault("invalid_json", str(error))]) from error


def _take(request: HttpRequest, key: Key, envelope: Envelope, body: bytes) -> dict[int, list[Fault]]:
    """Returns what was refused, by position."""
    if key.kind == "browser":
        if senders.is_bot(request.headers.get("User-Agent", "")):
            bots = {BOT: len(envelope.elements)}
            transactions.run(lambda now: tallies.count(bots, source=source_of(key), now=now))
            return {}
        wait = quota.wait_for(key.id, senders.address(request), len(envelope.elements))
        if wait:
            raise Refusal(
                HTTPStatus.TOO_MANY_REQUESTS,
                "rate_limited",
                "Too many events came from this address with this key.",
                **{"Retry-After": str(wait)},
            )
    messages, unread = _read(envelope)
    take = partial(intake.take, messages, unread, key, lane=envelope.lane)
    taken, now = transactions.run(lambda now: (take(now=now), now))
    _keep(taken, key, envelope, body, now)
    return taken.refused


def _read(envelope: Envelope) -> tuple[dict[int, Message], dict[int, list[Fault]]]:
    messages: dict[int, Message] = {}
    unread: dict[int, list[Fault]] = {}
    for position, raw in enumerate(envelope.elements):
        read = read_message(raw, envelope) if position < MOST_MESSAGES else [TOO_MANY]
        if isinstance(read, Message):
            messages[position] = read
        else:
            unread[position] = read
    return messages, unread


def _keep(taken: Taken, key: Key, envelope: Envelope, body: bytes, now: datetime) -> None:
    """What was refused goes to the quarantine, without the key and the proof of who somebody is."""
    if taken.refused:
        texts = [body.decode("utf-8", "surrogateescape")] if envelope.kind else strict_json.element_texts(body, "batch")
        quarantine.keep(
            [
                Refused(source_of(key), key.name, _SECRETS.sub(r'\1""', texts[position]), faults)
                for position, faults in sorted(taken.refused.items())
            ],
            now=now,
        )


def _refuse(faults: Sequence[Fault]) -> None:
    """A message that came alone."""
    wrong = faults[0]
    where = ".".join(str(step) for step in wrong.loc)
    if wrong.code == TOO_BIG:
        raise TooLarge("The message is larger than 32 KiB.")
    raise Refusal(HTTPStatus.BAD_REQUEST, wrong.code, f"{where or 'The message'} {wrong.msg}.")


@_open("GET", "HEAD")
def project(request: HttpRequest, write_key: str) -> HttpResponse:
    """What the browser client asks for before it sends anything: where to send, and that nothing else is set up."""
    key = write_keys.find("", write_key)
    if key is None:
        raise Refusal(HTTPStatus.NOT_FOUND, "invalid_write_key", "There is no such write key.")
    response = JsonResponse(_project(write_key, request))
    response["Cache-Control"] = "public, max-age=60"
    return response


def _project(write_key: str, request: HttpRequest) -> Mapping[str, Any]:
    try:
        host = request.get_host()
    except DisallowedHost as error:
        raise BadRequest("This host is not ours.") from error
    protocol = "https" if settings.SECURE or request.is_secure() else "http"
    everything = {"__default": {"enabled": True, "integrations": {}}}
    return {
        "integrations": {
            "Segment.io": {
                "apiKey": write_key,
                "apiHost": f"{host}/v1",
                "protocol": protocol,
                "unbundledIntegrations": [],
                "addBundledMetadata": False,
                "maybeBundledConfigIds": {},
                "versionSettings": {"version": "4.4.7", "componentTypes": ["browser"]},
                "retryQueue": True,
            }
        },
        "plan": {"track": everything, "identify": everything, "group": everything},
        "edgeFunction": {},
        "analyticsNextEnabled": True,
        "middlewareSettings": {},
        "enabledMiddleware": {},
        "legacyVideoPluginsEnabled": False,
        "remotePlugins": [],
        # else the client reports its own performance to Segment
        "metrics": {"sampleRate": 0, "host": f"{host}/v1"},
    }


@_open("GET", "HEAD", "POST")
def nothing_here(request: HttpRequest) -> HttpResponse:
    """Everything else below /v1/: programs get an error that they can read."""
    raise Refusal(HTTPStatus.NOT_FOUND, "not_found", "There is nothing here.")
