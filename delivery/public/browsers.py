"""Where browsers sign up for push messages: the key that they need, the worker that shows the messages, and the door
that a page's script posts a subscription to. How a page does it stands in `static/delivery/push-worker.js`.

Open to every origin, without cookies: the write key is what counts, as for events. Whose browser it is, an
`anonymousId` says, which nobody else knows; a `userId` from a browser's key counts with a valid `user_hash` only, or
anybody could read along with what is sent to somebody else. A subscription is no consent: that is asked for as ever."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, wraps
from pathlib import Path
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from contacts import identity, transactions
from contacts.access import Key
from contacts.collect import strict_json, write_keys
from contacts.collect.segment import quota, senders
from contacts.collect.strict_json import NotJson, TooManyValues
from contacts.faults import Fault
from contacts.identifiers import Identifiers
from delivery import devices
from delivery.devices import WEBPUSH, BadDevice, NewDevice
from delivery.providers.webpush import vapid

WORKER = Path(__file__).resolve().parent.parent / "static" / "delivery" / "push-worker.js"
LARGEST = 16 * 1024  # bytes of a body
MAX_AGE = 300  # seconds
_EVERYBODY = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Retry-After",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "X-Content-Type-Options": "nosniff",
}

View = Callable[[HttpRequest], HttpResponse]


class Refused(Exception):
    """The answer to a request that cannot be taken."""

    def __init__(self, status: int, code: str, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, headers


def _open(*methods: str) -> Callable[[View], View]:
    def decorate(view: View) -> View:
        @csrf_exempt
        @wraps(view)
        def guarded(request: HttpRequest) -> HttpResponse:
            allowed = ", ".join([*methods, "OPTIONS"])
            response: HttpResponse
            if request.method == "OPTIONS":
                response = HttpResponse(status=204, headers={"Allow": allowed, "Access-Control-Allow-Methods": allowed})
                response["Access-Control-Allow-Headers"] = "authorization, content-type"
                response["Access-Control-Max-Age"] = "7200"
            elif request.method not in methods:
                response = JsonResponse({"code": "method_not_allowed", "message": f"Use {methods[0]}."}, status=405)
                response["Allow"] = allowed
            else:
                try:
                    response = view(request)
                except Refused as error:
                    told = {"code": error.code, "message": error.message}
                    response = JsonResponse(told, status=error.status, headers=error.headers)
            for name, value in _EVERYBODY.items():
                response[name] = value
            return response

        return guarded

    return decorate


@cache
def _worker() -> bytes:
    return WORKER.read_bytes()


@_open("GET", "HEAD")
def worker(request: HttpRequest) -> HttpResponse:
    """`GET /push-worker.js`, at an address of its own: it lies in other people's pages for years."""
    response = HttpResponse(_worker(), content_type="text/javascript; charset=utf-8")
    response["Cache-Control"] = f"public, max-age={MAX_AGE}"
    return response


@_open("GET", "HEAD")
def key(request: HttpRequest) -> HttpResponse:
    """`GET /push/key`: `{"key": …}`, the `applicationServerKey`; 404 where web push is not set up."""
    public_key = vapid.public_key()
    if not public_key:
        raise Refused(404, "not_set_up", "Web push is not set up here.")
    response = JsonResponse({"key": public_key})
    response["Cache-Control"] = f"public, max-age={MAX_AGE}"
    return response


@_open("POST")
def subscribe(request: HttpRequest) -> HttpResponse:
    """`POST /push/subscribe {writeKey, anonymousId?, userId?, user_hash?, subscription: {endpoint, keys: {p256dh,
    auth}}}`: 200 `{"success": true}`. The key may also come as the user of Basic or as Bearer."""
    said = _body(request)
    write_key = write_keys.find(request.headers.get("Authorization", ""), _text(said, "writeKey"))
    if write_key is None:
        raise Refused(401, "invalid_write_key", "This needs a valid write key.")
    if not write_keys.admits_origin(write_key, request.headers.get("Origin", "")):
        raise Refused(403, "origin_refused", "This key may not be used by pages of this origin.")
    if write_key.kind == "browser" and (wait := quota.wait_for(write_key.id, senders.address(request), 1)):
        raise Refused(429, "rate_limited", "Too many requests came from this address.", **{"Retry-After": str(wait)})
    who = _who(said, write_key)
    device = _device(said, agent=request.headers.get("User-Agent", ""))

    def work(now: Any) -> None:
        found = identity.resolve([who], source="browser" if write_key.kind == "browser" else "segment", now=now)
        (contact_id,) = found.contact_ids
        if contact_id is None:
            raise _wrong(found.faults[0][0])
        devices.register(contact_id, device, now=now)

    try:
        transactions.run(work)
    except BadDevice as error:
        raise _wrong(error.faults[0].below("subscription")) from error
    return JsonResponse({"success": True})


def _body(request: HttpRequest) -> Mapping[str, Any]:
    try:
        raw = request.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        raise Refused(400, "unreadable", "The body could not be read.") from error
    if len(raw) > LARGEST:
        raise Refused(413, "too_large", "The body is too large.")
    try:
        said = strict_json.read(raw)
    except (NotJson, TooManyValues) as error:
        raise Refused(400, "invalid_json", "The body is not JSON.") from error
    if flaw := strict_json.fault_in(said, strict_json.EVENT):
        raise _wrong(flaw)
    if not isinstance(said, dict):
        raise Refused(400, "type", "The body must be an object.")
    return said


def _text(said: Mapping[str, Any], name: str) -> str:
    value = said.get(name)
    return value.strip() if isinstance(value, str) else ""


def _who(said: Mapping[str, Any], write_key: Key) -> Identifiers:
    external_id, anonymous_id = _text(said, "userId"), _text(said, "anonymousId")
    if write_key.kind == "browser" and not write_keys.proves(write_key, external_id, _text(said, "user_hash")):
        external_id = ""
    if not external_id and not anonymous_id:
        raise Refused(400, "unproven", "Say whose browser it is: an anonymousId, or a userId with a valid user_hash.")
    if external_id:
        return Identifiers(external_id=external_id)
    return Identifiers(anonymous_id=anonymous_id)


def _device(said: Mapping[str, Any], *, agent: str) -> NewDevice:
    subscription = said.get("subscription")
    given = subscription if isinstance(subscription, dict) else {}
    keys = given.get("keys")
    return NewDevice(
        kind=WEBPUSH,
        target=_text(given, "endpoint"),
        keys={name: _text(keys, name) for name in devices.KEY_BYTES} if isinstance(keys, dict) else {},
        agent="".join(character for character in agent[: devices.LONGEST_AGENT] if character.isprintable()),
    )


def _wrong(fault: Fault) -> Refused:
    place = ".".join(str(step) for step in fault.loc)
    return Refused(400, fault.code, f"{place or 'The body'} {fault.msg}.")
