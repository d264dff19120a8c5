"""What the OpenAPI document says of Segment's tracking API: plain views, which the framework does not see."""

from __future__ import annotations

from typing import Any

from contacts.collect.segment.messages import IDENTIFY, KINDS, MOST_MESSAGES

_TEXT = {"type": "string"}
_INSTANT = {"type": "string", "format": "date-time"}
_ID = {"type": ["string", "integer"]}
_FREE = {"type": "object"}
_MESSAGE: dict[str, Any] = {
    "type": "object",
    "description": "Needs userId or anonymousId. At most 32 KiB.",
    "properties": {
        "messageId": {**_TEXT, "maxLength": 255, "description": "The same again is a duplicate."},
        "userId": _ID,
        "anonymousId": _ID,
        "timestamp": _INSTANT,
        "sentAt": {**_INSTANT, "description": "Sets the timestamps of a wrong clock right."},
        "context": _FREE,
        "writeKey": {**_TEXT, "description": "Where no Authorization header says it."},
    },
}
_OWN: dict[str, dict[str, Any]] = {
    "track": {"event": {**_TEXT, "maxLength": 200}, "properties": _FREE},
    "page": {"name": _TEXT, "category": _TEXT, "properties": _FREE},
    "screen": {"name": _TEXT, "category": _TEXT, "properties": _FREE},
    IDENTIFY: {"traits": _FREE},
    "group": {"groupId": _ID, "traits": _FREE},
    "alias": {"previousId": _ID},
}
_REQUIRED = {"track": ["event"], "group": ["groupId"], "alias": ["previousId", "userId"]}
_BATCH: dict[str, Any] = {
    "type": "object",
    "required": ["batch"],
    "description": "Of at most 500 KiB.",
    "properties": {
        "batch": {"type": "array", "items": {"$ref": "#/components/schemas/SegmentMessage"}, "maxItems": MOST_MESSAGES},
        "sentAt": _INSTANT,
        "context": _FREE,
        "writeKey": _TEXT,
        "lane": {"type": "string", "enum": ["urgent", "bulk"], "default": "urgent"},
    },
}
_ERROR = {"type": "object", "properties": {"code": _TEXT, "message": _TEXT}}
_REFUSALS = {
    "400": "Not a message, a batch or a sound gzip file.",
    "401": "No valid write key.",
    "403": "The key may not be used by pages of this origin.",
    "413": "Too large.",
    "429": "Too many events came from this address with this browser's key; see Retry-After.",
    "503": "Send it again.",
}


def describe_tracking(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """A postprocessing hook."""
    components = result.setdefault("components", {})
    components.setdefault("securitySchemes", {})["writeKey"] = {
        "type": "http",
        "scheme": "basic",
        "description": "A write key `wk_…` as the user, the password empty. Bearer, and `writeKey` in the body, too.",
    }
    components.setdefault("schemas", {})["SegmentMessage"] = {
        **_MESSAGE,
        "required": ["type"],
        "properties": {"type": {"type": "string", "enum": list(KINDS)}, **_MESSAGE["properties"]},
        "additionalProperties": True,
    }
    for kind in KINDS:
        schema = {**_MESSAGE, "properties": {**_MESSAGE["properties"], **_OWN[kind]}}
        if kind in _REQUIRED:
            schema["required"] = _REQUIRED[kind]
        result["paths"][f"/v1/{kind}"] = _post(f"segment_{kind}", schema)
    result["paths"]["/v1/batch"] = _post("segment_batch", _BATCH)
    result["paths"]["/v1/import"] = _post("segment_import", _BATCH)
    return result


def _post(operation: str, schema: dict[str, Any]) -> dict[str, Any]:
    refusals = {
        status: {"description": words, "content": {"application/json": {"schema": _ERROR}}}
        for status, words in _REFUSALS.items()
    }
    taken = {"type": "object", "properties": {"success": {"type": "boolean", "const": True}}}
    return {
        "post": {
            "operationId": operation,
            "description": "As in Segment's HTTP tracking API. 200 means that what could be taken is committed.",
            "tags": ["tracking"],
            "security": [{"writeKey": []}],
            "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
            "responses": {
                "200": {"description": "Taken.", "content": {"application/json": {"schema": taken}}},
                **refusals,
            },
        }
    }
