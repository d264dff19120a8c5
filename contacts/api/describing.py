"""What the OpenAPI document says of every operation alike: its scope, its limits, and each way in which it may fail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drf_spectacular.openapi import AutoSchema

from contacts import hops, idempotency
from contacts.api import narrowing
from contacts.api.schema import PROBLEM
from contacts.problems import CONTENT_TYPE

# not a parameter of the document: an answer without its other fields is not what the schema of the answer says
NARROWING = "`?fields=a,b` leaves only these fields of the answer, or of each of its results."
_WRITES = ("POST", "PUT", "PATCH", "DELETE")
_BODIED = ("POST", "PUT", "PATCH")

REFUSALS: Mapping[str, tuple[str, str]] = {
    "400": ("NotValid", "The request is not valid; `errors` names the places."),
    "401": ("NoKey", "No valid API key."),
    "403": ("NotAllowed", "The key lacks the scope."),
    "404": ("NotThere", "There is no such thing."),
    "406": ("NotAcceptable", "The answer does not come in a form that `Accept` names."),
    "409": (
        "Conflict",
        "It is not in a state that allows this, or its Idempotency-Key was said with another request, is still being "
        "answered, or has lost its answer.",
    ),
    "412": ("Stale", "It was changed since the revision that `If-Match` names."),
    "413": ("TooLarge", "The body is too large."),
    "415": ("NotUnderstood", "The body is of a type that this address does not take."),
    "429": ("TooMany", "The key sends more requests than it may; see Retry-After."),
    "503": ("NotNow", "Nothing is wrong with the request: send it again."),
}
_WITH_RETRY = {"409", "429", "503"}
_SECONDS = {"type": "integer", "minimum": 0}
HEADERS: dict[str, dict[str, Any]] = {
    "RateLimit-Limit": {"description": "Requests that this key may send in a minute.", "schema": _SECONDS},
    "RateLimit-Remaining": {"description": "How many of them it may send at once now.", "schema": _SECONDS},
    "RateLimit-Reset": {"description": "Seconds until it may send all of them at once.", "schema": _SECONDS},
    "Retry-After": {"description": "Seconds to wait before the same request.", "schema": _SECONDS},
    "ETag": {"description": "Of exactly this answer, for `If-None-Match`.", "schema": {"type": "string"}},
    "Idempotency-Replayed": {
        "description": "`true`: the request was carried out before, and this is what was answered then.",
        "schema": {"type": "string", "const": "true"},
    },
}
_LIMITS = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")
IDEMPOTENCY_KEY: dict[str, Any] = {
    "name": idempotency.HEADER,
    "in": "header",
    "description": "Makes it safe to send the request again: for 24 hours the same key with the same request is "
    "answered as it was the first time, and nothing is done again; with another request it is a 409.",
    "schema": {
        "type": "string",
        "minLength": 1,
        "maxLength": idempotency.LONGEST_KEY,
        "pattern": f"^{idempotency.PATTERN}$",
    },
}
HOPS: dict[str, Any] = {
    "name": hops.HEADER,
    "in": "header",
    "description": "What a webhook or a step of a journey brought to you in this header, if that is why you call: the "
    f"number of journeys and calls that led here. A chain of {hops.MOST} ends. What is no number counts as none.",
    "schema": {"type": "string", "examples": ["2"]},
}
IF_NONE_MATCH: dict[str, Any] = {
    "name": "If-None-Match",
    "in": "header",
    "description": "The ETag of an answer that you have: 304 without a body if it would be the same.",
    "schema": {"type": "string"},
}


class Described(AutoSchema):
    """The framework's own description, and what `complete` adds."""

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        operation = super().get_operation(*args, **kwargs)
        if operation is not None:
            required = getattr(self.view, "required_scope", "")
            scope = required.get(self.method, "") if isinstance(required, Mapping) else required
            complete(operation, method=self.method, scope=scope)
            if self.method == "GET" and narrowing.names(self.view):
                operation["description"] += f"\n\n{NARROWING}"
        return operation


def complete(operation: dict[str, Any], *, method: str, scope: str) -> None:
    """Add to the description of one operation what is true of all of them."""
    said = operation.get("description", "").strip()
    operation["description"] = f"{said}\n\nScope: `{scope}`." if said else f"Scope: `{scope}`."
    parameters = operation.setdefault("parameters", [])
    responses = operation["responses"]
    statuses = {"400", "401", "403", "404", "406", "429", "503"}
    if method in _WRITES:
        statuses.add("409")
    if method in _BODIED:
        statuses |= {"413", "415"}
    statuses |= {status for status in ("409", "412") if status in said}
    if any(each["name"] == "If-Match" for each in parameters):
        statuses.add("412")
    for status in sorted(statuses - responses.keys()):
        responses[status] = {"$ref": f"#/components/responses/{REFUSALS[status][0]}"}
    _tell_headers(responses, [*_LIMITS, *(["Idempotency-Replayed"] if method == "POST" else [])])
    if method == "POST":
        parameters += [IDEMPOTENCY_KEY, HOPS]
    if method == "GET" and "application/json" in responses.get("200", {}).get("content", {}):
        parameters.append(IF_NONE_MATCH)
        _tell_headers({"200": responses["200"]}, ["ETag"])
        responses["304"] = {"description": "It is as the ETag says.", "headers": _references(["ETag", *_LIMITS])}


def _tell_headers(responses: Mapping[str, dict[str, Any]], names: list[str]) -> None:
    for status, response in responses.items():
        if status.startswith("2"):
            response.setdefault("headers", {}).update(_references(names))


def _references(names: list[str] | tuple[str, ...]) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def describe_refusals(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """A postprocessing hook: what `complete` refers to, and the operation that the framework does not see."""
    complete(result["paths"]["/api/v1/events"]["post"], method="POST", scope="events:write")
    components = result.setdefault("components", {})
    components.setdefault("schemas", {})["Problem"] = PROBLEM
    _mend(result)
    components["headers"] = HEADERS
    components["responses"] = {
        name: {
            "description": words,
            "headers": _references(["Retry-After"] if status in _WITH_RETRY else []),
            "content": {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status, (name, words) in REFUSALS.items()
    }
    return result


def _mend(schema: Any) -> None:
    """The framework says of anything that may be null `oneOf: [{}, {"type": "null"}]`, which null is not: it is both.
    And a choice that may be left out has a default that is none of the choices."""
    for inner in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        _mend(inner)
    if isinstance(schema, dict):
        if {} in schema.get("oneOf", ()):
            del schema["oneOf"]
        if schema.get("default") == "":
            del schema["default"]
