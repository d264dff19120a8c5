"""A person's rights over HTTP: to take their data along, to be forgotten, to have it left alone."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import FileResponse, Http404, HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from contacts import transactions
from contacts.living import find
from contacts.privacy import erasing, exporting, restricting
from contacts.privacy.family import NobodyThere
from contacts.problems import BadRequest

FORMS = {"json": exporting.JSON, "zip": exporting.ZIP}


class ErasedShape(serializers.Serializer[Any]):
    """`rows`: how many were blanked or deleted, by table."""

    erased_at = serializers.DateTimeField()
    rows = serializers.DictField(child=serializers.IntegerField())


class RestrictedShape(serializers.Serializer[Any]):
    restricted = serializers.BooleanField()


class AsAsked(BaseContentNegotiation):
    """The view looks at the Accept header itself: a ZIP is no rendering of an answer."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return parsers[0]

    def select_renderer(self, request: Request, renderers: Any, format_suffix: Any = None) -> Any:
        return renderers[0], renderers[0].media_type


class Export(APIView):
    required_scope = "contacts:read"
    content_negotiation_class = AsAsked

    @extend_schema(
        responses={(200, exporting.JSON): OpenApiTypes.OBJECT, (200, exporting.ZIP): OpenApiTypes.BINARY},
        parameters=[OpenApiParameter("format", enum=sorted(FORMS))],
    )
    def get(self, request: Request, public_id: UUID) -> HttpResponseBase:
        """Everything that is stored about this contact: one JSON document `{format, exported_at, tables: [{table,
        title, rows}]}`, or with `?format=zip` (or `Accept: application/zip`) a ZIP of it and a CSV file a table. That
        it was exported, when and with which key, is recorded."""
        form = _form(request)
        try:
            out = exporting.file(find(public_id).pk, form=form, actor=actor_of(request))
        except NobodyThere as error:
            raise Http404 from error
        name = f"contact-{public_id}.{'zip' if form == exporting.ZIP else 'json'}"
        answer = FileResponse(out, as_attachment=True, filename=name, content_type=form)
        answer["Cache-Control"] = "no-store"
        return answer


class Erase(APIView):
    required_scope = "contacts:write"

    @extend_schema(request=None, responses=ErasedShape)
    def post(self, request: Request, public_id: UUID) -> Response:
        """Erase this person and everybody who was merged into them, for ever. Counts and the times of events stay, and
        what was suppressed stays so. A contact that was erased is not found any more."""
        contact_id = find(public_id).pk
        try:
            done = transactions.run(
                lambda now: {"erased_at": now, "rows": erasing.erase(contact_id, actor=actor_of(request), now=now)}
            )
        except NobodyThere as error:
            raise Http404 from error
        return Response(ErasedShape(done).data)


class Restrict(APIView):
    required_scope = "contacts:write"

    @extend_schema(request=None, responses=RestrictedShape)
    def post(self, request: Request, public_id: UUID) -> Response:
        """Keep the data of this person and do not work with it: their events count for nothing, nobody enrols them,
        and nothing is advertised to them. When this is answered, no marketing request to them can start any more."""
        contact_id, actor = find(public_id).pk, actor_of(request)
        transactions.run(lambda now: restricting.restrict(contact_id, actor=actor, source="api", now=now))
        return Response({"restricted": True})


class Unrestrict(APIView):
    required_scope = "contacts:write"

    @extend_schema(request=None, responses=RestrictedShape)
    def post(self, request: Request, public_id: UUID) -> Response:
        """Work with it again from now on; what came in meanwhile is not made up for."""
        contact_id, actor = find(public_id).pk, actor_of(request)
        transactions.run(lambda now: restricting.unrestrict(contact_id, actor=actor, source="api", now=now))
        return Response({"restricted": False})


def actor_of(request: Request) -> str:
    return f"key:{request.user.name}"


def _form(request: Request) -> str:
    said = request.query_params.get("format", "")
    if said:
        if said not in FORMS:
            raise BadRequest(f"format must be one of {', '.join(sorted(FORMS))}.")
        return FORMS[said]
    return exporting.ZIP if exporting.ZIP in request.headers.get("Accept", "") else exporting.JSON
