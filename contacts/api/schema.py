"""What the OpenAPI document says beyond what Django REST framework finds out by itself."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension

from contacts.collect.parsing import LANES, MOST_EVENTS

_TEXT = {"type": "string"}
_COUNT = {"type": "integer", "minimum": 0}
_EVENT = {
    "type": "object",
    "required": ["type", "contact"],
    "properties": {
        "event_id": {**_TEXT, "description": "The same id again is a duplicate. Absent: contact, type and minute."},
        "type": {**_TEXT, "minLength": 1, "maxLength": 200},
        "contact": {
            "type": "object",
            "description": "At least one; who is not known yet is created.",
            "minProperties": 1,
            "properties": {
                "external_id": _TEXT,
                "email": {**_TEXT, "format": "email"},
                "phone": _TEXT,
                "anonymous_id": _TEXT,
            },
        },
        "occurred_at": {
            "oneOf": [{**_TEXT, "format": "date-time"}, {"type": "number"}],
            "description": "ISO 8601 with a zone, or milliseconds since 1970. Absent: now.",
        },
        "properties": {"type": "object"},
        "context": {"type": "object"},
        "region": {**_TEXT, "description": "Where the person lives, unless `context.region` says so."},
    },
}
_FAULT = {
    "type": "object",
    "properties": {"loc": {"type": "array", "items": {"type": ["string", "integer"]}}, "msg": _TEXT, "code": _TEXT},
}
_NULLABLE = {"type": ["string", "null"]}
_IDENTIFIER = {"type": ["string", "integer", "null"]}
_CONSENT = {"enum": ["granted", "denied", None]}
_CAP = {"type": ["integer", "null"], "minimum": 0}
PERSON = {
    "application/json": {
        "type": "object",
        "description": "What is not said stays as it is.",
        "additionalProperties": False,
        "properties": {
            **dict.fromkeys(("external_id", "anonymous_id"), _IDENTIFIER),
            "email": {**_NULLABLE, "format": "email"},
            **dict.fromkeys(("phone", "timezone", "locale", "region", "owner_email"), _NULLABLE),
            "attributes": {"type": ["object", "null"], "description": "Merged; a null removes the attribute."},
            "tags": {"type": ["array", "null"], "items": _TEXT, "description": "Added to those that are there."},
            "lists": {"type": ["array", "null"], "items": _TEXT, "description": "Slugs of lists that they join."},
            "frequency_cap": {"type": ["object", "null"], "properties": {"per_day": _CAP, "per_week": _CAP}},
            "consents": {
                "type": ["object", "null"],
                "properties": {
                    "tracking": _CONSENT,
                    "marketing": {
                        "type": ["object", "null"],
                        "description": "By topic; `all` is the whole of it.",
                        "additionalProperties": _CONSENT,
                    },
                    "data_processing": _CONSENT,
                    "sale": _CONSENT,
                },
            },
        },
    }
}
BULK = {
    "application/json": {
        "type": "object",
        "required": ["contacts"],
        "properties": {
            "contacts": {
                "type": "array",
                "items": {"anyOf": [PERSON["application/json"], {"description": "Rejected by its index."}]},
                "minItems": 1,
                "maxItems": 1000,
            }
        },
    }
}
_REJECTED = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"index": _COUNT, "errors": {"type": "array", "items": _FAULT}},
    },
}
BULK_OUTCOME = {
    "type": "object",
    "properties": {"created": _COUNT, "updated": _COUNT, "unchanged": _COUNT, "rejected": _REJECTED},
}
_OUTCOME = {
    "type": "object",
    "properties": {
        "accepted": _COUNT,
        "duplicates": _COUNT,
        "rejected": _REJECTED,
    },
}
PROBLEM = {
    "type": "object",
    "description": "RFC 9457. `errors`: what is wrong where, in the body or the query string.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": _TEXT,
        "title": _TEXT,
        "status": {"type": "integer"},
        "detail": _TEXT,
        "errors": {"type": "array", "items": _FAULT},
    },
}


class ApiKeyScheme(OpenApiAuthenticationExtension):
    target_class = "contacts.access.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "An API key: `mk_live_…`"}


def describe_events(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """A postprocessing hook: `POST /api/v1/events` is a plain view, which the framework does not see."""
    result["paths"]["/api/v1/events"] = {
        "post": {
            "operationId": "events_record",
            "description": "Record events. 202 means that they are committed, even if every one was rejected.",
            "tags": ["events"],
            "security": [{"apiKey": []}],
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {
                        "schema": {
                            "type": "object",
                            "required": ["events"],
                            "properties": {
                                "events": {
                                    "type": "array",
                                    "items": {"anyOf": [_EVENT, {"description": "Rejected by its index."}]},
                                    "minItems": 1,
                                    "maxItems": MOST_EVENTS,
                                },
                                "lane": {"type": "string", "enum": list(LANES), "default": LANES[0]},
                                "sent_at": {
                                    "oneOf": [{**_TEXT, "format": "date-time"}, {"type": ["number", "null"]}],
                                    "description": "By the sender's clock: `occurred_at` is corrected by as much as it "
                                    "is wrong. More than 24 hours back it is taken for a late delivery instead.",
                                },
                            },
                        }
                    }
                },
            },
            "responses": {
                "202": {
                    "description": "What became of each.",
                    "content": {"application/json": {"schema": _OUTCOME}},
                },
            },
        }
    }
    return result
