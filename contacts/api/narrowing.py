"""`?fields=a,b`: answers with no more than somebody wants to know."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from drf_spectacular.openapi import AutoSchema
from rest_framework import serializers

from contacts import problems
from contacts.faults import Fault


def names(view: Any) -> frozenset[str]:
    """The fields of what the `GET` of this view answers, or of each result of its list, as they are described; empty
    where they are not."""
    method = view.get
    schema = getattr(method, "kwargs", {}).get("schema", AutoSchema)()
    schema.view, schema.method = view, "GET"
    said = schema.get_response_serializers()
    said = said.get(HTTPStatus.OK) if isinstance(said, Mapping) else said
    answer = said() if isinstance(said, type) and issubclass(said, serializers.BaseSerializer) else said
    if isinstance(answer, serializers.ListSerializer):
        answer = answer.child
    results = answer.fields.get("results") if isinstance(answer, serializers.Serializer) else None
    if isinstance(results, serializers.ListSerializer):
        answer = results.child
    return frozenset(answer.fields) if isinstance(answer, serializers.Serializer) else frozenset()


def narrow(response: Any, asked: str) -> None:
    """Leave only these fields, before the answer is written; 400 for one that there is not."""
    known = names(response.renderer_context["view"])
    wanted = {name.strip() for name in asked.split(",")}
    if not known:
        return
    if unknown := sorted(wanted - known):
        message = f"must be some of {', '.join(sorted(known))}, with commas between them"
        faults = [Fault("unknown", message, ("fields", name)) for name in unknown]
        response.data = problems.body(HTTPStatus.BAD_REQUEST, "There are no such fields.", faults)
        response.status_code, response.content_type = HTTPStatus.BAD_REQUEST, problems.CONTENT_TYPE
        return
    if isinstance(response.data.get("results"), list):
        response.data = {**response.data, "results": [_narrowed(row, wanted) for row in response.data["results"]]}
    else:
        response.data = _narrowed(response.data, wanted)


def _narrowed(row: Mapping[str, Any], wanted: set[str]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name in wanted}
