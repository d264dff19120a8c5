"""What a step `call_webhook` sends, and where: its settings filled for one contact. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from delivery.authoring.mustache import BadMustache
from delivery.authoring.rendering import one_line
from delivery.outgoing import targets
from delivery.outgoing.targets import BadTarget
from workflows.definition.references import DEEPEST, filled, is_reference
from workflows.errands import merge_fields

LARGEST = 64 * 1024  # bytes of a body
_TAG = re.compile(r"\{\{\{?.*?\}?\}\}", re.DOTALL)
_ORIGIN = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
# the client's own, those that say where a message ends, what our signature says, and how far a chain has come
_RESERVED = frozenset(
    {
        "accept-encoding",
        "carillon-hops",
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "webhook-id",
        "webhook-signature",
        "webhook-timestamp",
    }
)


class CannotFill(ValueError):
    """The settings give no request for this contact; the message is one word."""


@dataclass(frozen=True)
class Filled:
    url: str
    headers: Mapping[str, str]
    body: str


def url_fault(url: str) -> tuple[str, str] | None:
    """(code, message) of what is wrong with a URL that may hold variables; None: nothing."""
    origin = _ORIGIN.match(url)
    if origin is None:
        return "bad_url", "a URL begins with https:// and the name of a host"
    if "{{" in origin[0]:
        return "bad_url", "only the path and the query may hold variables, not the host"
    if fault := merge_fields.fault_in(url):
        return "bad_value", fault
    try:
        targets.check(_TAG.sub("x", url))
    except BadTarget as error:
        return error.code, str(error)
    return None


def header_fault(name: str, value: str) -> str:
    """Why it cannot be sent; empty if it can."""
    if not _TOKEN.fullmatch(name):
        return "a header's name has letters, digits and hyphens"
    if name.lower() in _RESERVED or name.lower().startswith("proxy-"):
        return f"{name} is set by us"
    if not value.isprintable():
        return "a header's value has characters that can be shown"
    return merge_fields.fault_in(value)


def body_faults(value: Any, field: str) -> Iterator[tuple[str, str]]:
    """(field, message) of texts that cannot be filled."""
    for place, text in _texts_of(value, field):
        if fault := merge_fields.fault_in(text):
            yield place, fault


def texts(url: str, headers: Mapping[str, str], body: Any) -> Iterator[tuple[str, str]]:
    """Every text that may hold variables: (field, text)."""
    yield "config.url", url
    yield from ((f"config.headers.{name}", value) for name, value in headers.items())
    yield from _texts_of(body, "config.body")


def _texts_of(value: Any, field: str, depth: int = 1) -> Iterator[tuple[str, str]]:
    if depth > DEEPEST or is_reference(value):
        return
    if isinstance(value, str):
        yield field, value
    elif isinstance(value, Mapping):
        for name, inside in value.items():
            yield from _texts_of(inside, f"{field}.{name}", depth + 1)
    elif isinstance(value, list):
        for position, inside in enumerate(value):
            yield from _texts_of(inside, f"{field}.{position}", depth + 1)


def fill(
    *,
    url: str,
    headers: Mapping[str, str],
    body: Any,
    standard: Any = None,
    data: Mapping[str, Any],
    trigger: Mapping[str, Any],
) -> Filled:
    """Everything with its variables replaced: in the URL percent-encoded, in a JSON body inside the texts, so that no
    value can change the shape around it. A `body` that is a text is sent as a text; null sends `standard`, if there is
    one, as JSON. Raises CannotFill."""
    try:
        where = merge_fields.filled(url, _encoded(data))
        targets.check(where)
        named = {name: one_line(merge_fields.filled(value, data)) for name, value in headers.items()}
        if body is not None:
            words = _words(body, data, trigger)
        else:
            words = "" if standard is None else json.dumps(standard, ensure_ascii=False)
    except BadMustache as error:
        raise CannotFill("render_error") from error
    except BadTarget as error:
        raise CannotFill(error.code) from error
    if len(words.encode("utf-8", "surrogatepass")) > LARGEST:
        raise CannotFill("body_too_large")
    kinds = {name.lower() for name in named}
    if words and "content-type" not in kinds:
        named["Content-Type"] = "text/plain; charset=utf-8" if isinstance(body, str) else "application/json"
    return Filled(where, named, words)


def _words(body: Any, data: Mapping[str, Any], trigger: Mapping[str, Any]) -> str:
    if isinstance(body, str):
        return merge_fields.filled(body, data)
    return json.dumps(filled(_texts(body, data), trigger), ensure_ascii=False, allow_nan=False)


def _texts(value: Any, data: Mapping[str, Any]) -> Any:
    """The same with its texts filled; references are left for later, so that what a value says is never filled."""
    if is_reference(value):
        return value
    if isinstance(value, str):
        return merge_fields.filled(value, data)
    if isinstance(value, Mapping):
        return {name: _texts(inside, data) for name, inside in value.items()}
    return [_texts(inside, data) for inside in value] if isinstance(value, list) else value


def _encoded(value: Any) -> Any:
    if isinstance(value, str):
        quoted = quote(value.encode("utf-8", "replace"), safe="")
        return quoted.replace(".", "%2E") if quoted.strip(".") == "" else quoted  # `..` would lead somewhere else
    if isinstance(value, Mapping):
        return {name: _encoded(inside) for name, inside in value.items()}
    return [_encoded(inside) for inside in value] if isinstance(value, list) else value
