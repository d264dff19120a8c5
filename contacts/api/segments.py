"""Segments over HTTP: written, previewed, and who is in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from contacts.api.audiences import PAGED, READ_WRITE, Written, members_page, said, written
from contacts.api.shapes import ContactPage, ContactShape
from contacts.audiences import preview, segments
from contacts.audiences.sizes import COUNTED, size_of
from contacts.conditions import BadCondition, explain, parse
from contacts.models import Contact, Segment, SegmentMember
from contacts.paging import NewestFirst, Page
from contacts.shapes import shapes

NOT_VALID = "The segment is not valid."


class SegmentShape(serializers.Serializer[Any]):
    """`state`: building (being filled, `progress` says how far; nobody is told) or live. `sentence`: the condition in
    English. `members`: about how many where `estimated`, which is in the list alone and beyond 10,000. `swept_at`: the
    last look for what only time changed."""

    slug = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    condition = serializers.JSONField()
    sentence = serializers.CharField()
    state = serializers.ChoiceField(choices=["building", "live"])
    progress = serializers.FloatField()
    members = serializers.IntegerField()
    estimated = serializers.BooleanField()
    moves_with_time = serializers.BooleanField()
    swept_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class SegmentPage(Page):
    results = SegmentShape(many=True)


class SegmentWritten(Written):
    condition = serializers.JSONField()


class PreviewShape(serializers.Serializer[Any]):
    """`count` is an estimate where `estimated`, and null where even that took too long; `total`: about how many there
    are in all; `sample`: up to ten of those found; `ms` and `cost`: what asking took, in milliseconds and in the
    planner's units; `slow`: keeping such a segment is dear."""

    count = serializers.IntegerField(allow_null=True)
    estimated = serializers.BooleanField()
    total = serializers.IntegerField()
    sample = ContactShape(many=True)
    ms = serializers.IntegerField()
    cost = serializers.FloatField()
    slow = serializers.BooleanField()
    sentence = serializers.CharField()


class SegmentList(APIView):
    required_scope: ClassVar[Mapping[str, str]] = READ_WRITE

    @extend_schema(operation_id="segments_list", responses=SegmentPage, parameters=PAGED)
    def get(self, request: Request) -> Response:
        """The newest first."""
        paginator = NewestFirst()
        page = paginator.paginate_queryset(Segment.objects.all(), request, view=self)
        return paginator.get_paginated_response(_shapes(page or [], exactly=False))

    @extend_schema(operation_id="segments_create", request=SegmentWritten, responses={201: SegmentShape})
    def post(self, request: Request) -> Response:
        """It is filled in silence (`state` building), then it is live, and every change of its membership is an event:
        segment_entered, segment_left."""
        body = said(request.data, {"slug", "name", "description", "condition"})
        given = {name: body.get(name, "") for name in ("slug", "name", "description")}
        written(lambda now: segments.create(**given, condition=body.get("condition"), now=now), NOT_VALID)
        return Response(_shapes([_segment(given["slug"])])[0], status=201)


class SegmentDetail(APIView):
    required_scope: ClassVar[Mapping[str, str]] = READ_WRITE

    @extend_schema(responses=SegmentShape)
    def get(self, request: Request, slug: str) -> Response:
        return Response(_shapes([_segment(slug)])[0])

    @extend_schema(request=SegmentWritten, responses=SegmentShape)
    def patch(self, request: Request, slug: str) -> Response:
        """Change what is sent; the slug stays. Another condition is filled anew, in silence."""
        body = said(request.data, {"name", "description", "condition"})
        written(lambda now: segments.change(slug, **body, now=now), NOT_VALID)
        return Response(_shapes([_segment(slug)])[0])

    @extend_schema(responses={204: None})
    def delete(self, request: Request, slug: str) -> Response:
        """409 while another segment, a journey or a scoring rule names it."""
        written(lambda now: segments.delete(slug), NOT_VALID)
        return Response(status=204)


class SegmentContacts(APIView):
    required_scope = "contacts:read"

    @extend_schema(operation_id="segments_contacts", responses=ContactPage, parameters=PAGED)
    def get(self, request: Request, slug: str) -> Response:
        """Who is in it, whoever entered last first."""
        return members_page(self, SegmentMember.objects.filter(segment_id=_segment(slug).pk), request)


class SegmentPreview(APIView):
    required_scope = "contacts:read"

    @extend_schema(
        operation_id="segments_preview",
        request={"application/json": {"type": "object", "properties": {"condition": {"type": "object"}}}},
        responses=PreviewShape,
    )
    def post(self, request: Request) -> Response:
        """Try a condition: how many contacts it finds, some of them, and what asking costs. Changes nothing."""
        body = said(request.data, {"condition"})
        seen = written(lambda now: preview.preview(body.get("condition"), now=now), "The condition is not valid.")
        sample = Contact.objects.in_bulk(seen.sample)
        return Response(
            {
                "count": seen.count,
                "estimated": seen.estimated,
                "total": seen.total,
                "sample": shapes([sample[pk] for pk in seen.sample]),
                "ms": seen.ms,
                "cost": seen.cost,
                "slow": seen.slow,
                "sentence": seen.sentence,
            }
        )


def _segment(slug: str) -> Segment:
    found = Segment.objects.filter(slug=slug).first()
    if found is None:
        raise Http404
    return found


def _shapes(found: Sequence[Segment], *, exactly: bool = True) -> list[dict[str, Any]]:
    upto = None if exactly else COUNTED + 1
    standings = segments.standings([each.slug for each in found], count_to=upto)
    size = {
        each.slug: size_of("segment", each.pk, standings[each.slug].members, upto)
        for each in found
        if each.slug in standings
    }
    return [
        {
            "slug": each.slug,
            "name": each.name,
            "description": each.description,
            "condition": each.condition,
            "sentence": _sentence(each),
            "state": each.state,
            "progress": standings[each.slug].progress,
            "members": size[each.slug].number,
            "estimated": size[each.slug].estimated,
            "moves_with_time": each.moves_with_time,
            "swept_at": each.swept_at,
            "created_at": each.created_at,
            "updated_at": each.updated_at,
        }
        for each in found
        if each.slug in standings
    ]


def _sentence(segment: Segment) -> str:
    """Empty where the condition can no longer be read: a floor that knew its fields is gone."""
    try:
        return explain(parse(segment.condition))
    except BadCondition:
        return ""
