"""The versions of a template, and templates that were made with an older layout or partial."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import exceptions, serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from contacts import transactions
from contacts.api.texts import Slug
from contacts.paging import NewestFirst
from delivery.api.templates import body_of, find, problem, writer
from delivery.authoring import templates
from delivery.authoring.templates import BadTemplate
from delivery.models import TemplateVersion


class TemplateVersionShape(serializers.ModelSerializer[TemplateVersion]):
    version = serializers.IntegerField(source="number")

    class Meta:
        model = TemplateVersion
        fields = [
            "version", "subject", "preheader", "html", "text", "source", "locales", "options", "saved_by", "created_at",
        ]  # fmt: skip


class TemplateVersions(ListAPIView[TemplateVersion]):
    """Every version, the newest first."""

    required_scope = "workflows:read"
    serializer_class = TemplateVersionShape
    pagination_class = NewestFirst
    filter_backends: ClassVar[list[Any]] = []

    def get_queryset(self) -> QuerySet[TemplateVersion]:
        if getattr(self, "swagger_fake_view", False):
            return TemplateVersion.objects.none()
        return TemplateVersion.objects.filter(template=find(self.kwargs["slug"]))


class TemplateVersionDetail(APIView):
    required_scope = "workflows:read"

    @extend_schema(responses=TemplateVersionShape)
    def get(self, request: Request, slug: str, number: str) -> Response:
        """One version as it was saved; versions never change."""
        version = TemplateVersion.objects.filter(template=find(slug), number=int(number)).first()
        if version is None:
            raise exceptions.NotFound(f"The template {slug!r} has no version {number}.")
        return Response(TemplateVersionShape(version).data)


class Outdated(serializers.Serializer[Any]):
    templates = serializers.ListField(child=serializers.SlugField())


class RefreshInput(serializers.Serializer[Any]):
    """`templates`: which; without them all that were made with an older version."""

    templates = serializers.ListField(child=Slug(), max_length=500, required=False, default=list)


class Refreshed(serializers.Serializer[Any]):
    """The new versions, by slug."""

    templates = serializers.DictField(child=serializers.IntegerField())


class TemplateUses(APIView):
    """Where a layout or partial is used in an older version than its live one."""

    required_scope: ClassVar = {"GET": "workflows:read", "POST": "workflows:write"}

    @extend_schema(responses=Outdated)
    def get(self, request: Request, slug: str) -> Response:
        """Which live templates those are."""
        find(slug)
        return Response({"templates": templates.outdated(slug)})

    @extend_schema(request=RefreshInput, responses=Refreshed)
    def post(self, request: Request, slug: str) -> Response:
        """Make them anew: all of them, or none where one cannot be made."""
        find(slug)
        given = RefreshInput(data=body_of(request))
        given.is_valid(raise_exception=True)

        def work(now: Any) -> dict[str, int]:
            outdated = templates.outdated(slug)
            wanted = given.validated_data["templates"] or outdated
            return templates.refresh([each for each in wanted if each in outdated], saved_by=writer(request), now=now)

        try:
            saved = transactions.run(work)
        except BadTemplate as error:
            raise problem(error) from error
        numbers = TemplateVersion.objects.filter(pk__in=saved.values()).values_list("template__slug", "number")
        return Response({"templates": dict(numbers)})
