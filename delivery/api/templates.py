"""Templates over HTTP. A template is live as soon as it is written; writing it again makes its next version."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import exceptions, serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from contacts import transactions
from contacts.paging import NewestFirst
from contacts.problems import BadRequest
from delivery.authoring import templates
from delivery.authoring.templates import BadTemplate
from delivery.models import Template

SCOPES = {"GET": "workflows:read", "POST": "workflows:write", "PUT": "workflows:write"}
LONGEST_PART = 500_000  # characters; mail programs cut off long before


class WordsInput(serializers.Serializer[Any]):
    """What a template says. `html` and `text` may be empty, not both."""

    slug = serializers.SlugField(max_length=100)
    name = serializers.CharField(max_length=200, required=False, default="")
    channel = serializers.ChoiceField(["email", "sms", "push"], default="email")
    subject = serializers.CharField(max_length=1000, allow_blank=True, default="")
    preheader = serializers.CharField(max_length=1000, allow_blank=True, default="")
    html = serializers.CharField(max_length=LONGEST_PART, allow_blank=True, default="", trim_whitespace=False)
    text = serializers.CharField(max_length=LONGEST_PART, allow_blank=True, default="", trim_whitespace=False)


class TemplateShape(serializers.ModelSerializer[Template]):
    version = serializers.IntegerField(source="live_version.number", default=None)
    subject = serializers.CharField(source="live_version.subject", default="")
    preheader = serializers.CharField(source="live_version.preheader", default="")
    html = serializers.CharField(source="live_version.html", default="")
    text = serializers.CharField(source="live_version.text", default="")

    class Meta:
        model = Template
        fields = ["slug", "name", "channel", "version", "subject", "preheader", "html", "text", "created_at"]


def find(slug: str) -> Template:
    template = Template.objects.select_related("live_version").filter(slug=slug).first()
    if template is None:
        raise exceptions.NotFound(f"There is no template {slug!r}.")
    return template


def save(data: dict[str, Any]) -> Template:
    """Write the words as the live version. Raises BadRequest (400) where they cannot be read."""
    given = WordsInput(data=data)
    given.is_valid(raise_exception=True)
    words = {**given.validated_data, "name": given.validated_data["name"] or given.validated_data["slug"]}

    def work(now: datetime) -> int:
        return templates.save_version(**words, now=now)

    try:
        transactions.run(work)
    except BadTemplate as error:
        raise BadRequest("The template cannot be read.", error.faults) from error
    return find(words["slug"])


class TemplateList(ListAPIView[Template]):
    """`GET` lists the templates; `POST` writes one."""

    required_scope: ClassVar = SCOPES
    queryset = Template.objects.select_related("live_version")
    serializer_class = TemplateShape
    pagination_class = NewestFirst
    filterset_fields: ClassVar = ["slug", "channel"]

    @extend_schema(request=WordsInput, responses={200: TemplateShape, 201: TemplateShape})
    def post(self, request: Request) -> Response:
        """201 for a new template, 200 for a new version of one that is there."""
        template = save(request.data if isinstance(request.data, dict) else {})
        first = template.live_version is not None and template.live_version.number == 1
        return Response(TemplateShape(template).data, status=201 if first else 200)


class TemplateDetail(APIView):
    required_scope: ClassVar = SCOPES

    @extend_schema(responses=TemplateShape)
    def get(self, request: Request, slug: str) -> Response:
        return Response(TemplateShape(find(slug)).data)

    @extend_schema(request=WordsInput, responses=TemplateShape)
    def put(self, request: Request, slug: str) -> Response:
        """The next version; the slug is the address's."""
        data = request.data if isinstance(request.data, dict) else {}
        return Response(TemplateShape(save({"name": find(slug).name, **data, "slug": slug})).data)
