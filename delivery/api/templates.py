"""Templates over HTTP. A template is live as soon as it is written; writing it again makes its next version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import exceptions, serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from contacts import transactions
from contacts.api.freshness import IF_MATCH, check_match
from contacts.api.merges import Conflict
from contacts.api.texts import Slug, Text
from contacts.faults import Fault
from contacts.paging import NewestFirst
from contacts.problems import BadRequest
from delivery.authoring import checks, removal, sources, templates
from delivery.authoring import locales as languages
from delivery.authoring.removal import InUse
from delivery.authoring.sources import Manuscript, Writing
from delivery.authoring.templates import BadTemplate
from delivery.models import Template
from delivery.models.template import KINDS

SCOPES = {"GET": "workflows:read", "POST": "workflows:write", "PUT": "workflows:write", "DELETE": "workflows:write"}
LONGEST_PART = 500_000  # characters; mail programs cut off long before
_WRITTEN = ("subject", "preheader", "html", "text", "source", "locales", "options")


class Draft(serializers.Serializer[Any]):
    """What a template says. `html` is taken as it stands; `source` is made into HTML: {"kind": "html" (its CSS is
    inlined), "mjml" or "blocks", "body": text or list of blocks, "layout": slug}. `{{> slug}}` names a partial.
    `locales`: {"de": {subject, preheader, html, text, source}, …}; what a language does not have is the default one's.
    `options`: {"utm": bool, "allow_personal": [name]}."""

    subject = Text(max_length=1000, allow_blank=True, default="")
    preheader = Text(max_length=1000, allow_blank=True, default="")
    html = Text(max_length=LONGEST_PART, allow_blank=True, default="", trim_whitespace=False)
    text = Text(max_length=LONGEST_PART, allow_blank=True, default="", trim_whitespace=False)
    source = serializers.DictField(default=dict)
    locales = serializers.DictField(child=serializers.DictField(), default=dict)
    options = serializers.DictField(default=dict)

    @staticmethod
    def manuscript(data: Mapping[str, Any], template: Template) -> Manuscript | None:
        """The live version with what is given in its place; None where no words are given. Raises ValidationError."""
        if not any(name in data for name in _WRITTEN):
            return None
        shape = Draft(data=dict(data), partial=True)
        shape.is_valid(raise_exception=True)
        given = {name: value for name, value in shape.validated_data.items() if name in _WRITTEN and name in data}
        if template.live_version is not None:
            live = sources.manuscript_of(template.live_version)
        else:
            live = Manuscript(kind=template.kind, channel=template.channel)
        own = {name: value for name, value in given.items() if name in (*sources.PARTS, "source")}
        if "html" in own and "source" not in own:
            own["source"] = {}
        written: Writing = replace(live.writing, **own)
        others = {name: value for name, value in given.items() if name in ("locales", "options")}
        return replace(live, writing=written, **others)


class WordsInput(Draft):
    """A template as it is written. `kind`: message, layout or partial; it never changes. `locale`: the language that
    these words are in; of a template that is there only that language is written, and all others stay as they are."""

    slug = Slug(max_length=100)
    name = Text(max_length=200, required=False, default="")
    channel = serializers.ChoiceField(["email", "sms", "push"], default="email")
    kind = serializers.ChoiceField(KINDS, required=False, default="")
    locale = Text(max_length=languages.LONGEST, required=False, allow_blank=True, allow_null=True)

    def validate_locale(self, locale: str | None) -> str:
        if locale and not languages.canonical(locale):
            raise serializers.ValidationError("expected the tag of a language, such as de or pt-BR", code="locale")
        return languages.canonical(locale or "")


class RewriteInput(WordsInput):
    """The same, of a template that is there: the address says which."""

    slug = None  # type: ignore[assignment]


class TemplateShape(serializers.ModelSerializer[Template]):
    version = serializers.IntegerField(source="live_version.number", default=None)
    subject = serializers.CharField(source="live_version.subject", default="")
    preheader = serializers.CharField(source="live_version.preheader", default="")
    html = serializers.CharField(source="live_version.html", default="")
    text = serializers.CharField(source="live_version.text", default="")
    source = serializers.DictField(source="live_version.source", default=dict)
    locales = serializers.DictField(source="live_version.locales", default=dict)
    options = serializers.DictField(source="live_version.options", default=dict)

    class Meta:
        model = Template
        fields = [
            "slug", "name", "channel", "kind", "version", "subject", "preheader", "html", "text", "source", "locales",
            "options", "created_at",
        ]  # fmt: skip


class CheckShape(serializers.Serializer[Any]):
    """See `delivery.authoring.checks.Finding`."""

    level = serializers.ChoiceField(["error", "warning", "hint"])
    code = serializers.CharField()
    part = serializers.CharField()
    locale = serializers.CharField(allow_blank=True)
    place = serializers.CharField(allow_blank=True)
    message = serializers.CharField()


class CheckedShape(TemplateShape):
    """One template as it is answered: with what a reader or a spam filter would mind."""

    checks = serializers.SerializerMethodField()

    class Meta(TemplateShape.Meta):
        fields = [*TemplateShape.Meta.fields, "checks"]

    @extend_schema_field(CheckShape(many=True))
    def get_checks(self, template: Template) -> list[dict[str, str]]:
        if template.live_version_id is None or template.kind != "message":
            return []
        wording = templates.wordings_of([template.live_version_id])[template.live_version_id]
        return [found.as_json() for found in checks.findings(wording, channel=template.channel)]


def find(slug: str) -> Template:
    template = Template.objects.select_related("live_version").filter(slug=slug).first()
    if template is None:
        raise exceptions.NotFound(f"There is no template {slug!r}.")
    if template.live_version is not None:
        template.live_version.template = template
    return template


def problem(error: BadTemplate) -> BadRequest:
    return BadRequest("The template cannot be read.", error.faults)


def save(data: dict[str, Any], *, request: Request) -> Template:
    """Write the words as the live version. Raises BadRequest (400) where they cannot be read, and Stale (412)."""
    given = WordsInput(data=data)
    given.is_valid(raise_exception=True)
    words = dict(given.validated_data)
    locale = words.pop("locale", "")

    def work(now: datetime) -> int:
        known = Template.objects.filter(slug=words["slug"]).select_related("live_version")
        template = known.select_for_update(no_key=True, of=("self",)).first()
        if template is not None:
            check_match(request, CheckedShape(find(words["slug"])).data)
        written = _in_one_language(words, locale, template) if locale and template is not None else words
        name = words["name"] or (template.name if template is not None else words["slug"])
        return templates.save_version(**{**written, "name": name}, saved_by=writer(request), now=now)

    try:
        transactions.run(work)
    except BadTemplate as error:
        raise problem(error) from error
    return find(words["slug"])


def _in_one_language(words: dict[str, Any], locale: str, template: Template) -> dict[str, Any]:
    """The live version with these words in that language."""
    if template.live_version is None:
        return words
    template.live_version.template = template
    live = sources.manuscript_of(template.live_version)
    own = {name: words[name] for name in (*sources.PARTS, "source") if words[name]}
    return {
        **words,
        **vars(live.writing),
        "locales": {**live.locales, **words["locales"], locale: own},
        "options": words["options"] or live.options,
    }


class TemplateList(ListAPIView[Template]):
    """`GET` lists the templates; `POST` writes one."""

    required_scope: ClassVar = SCOPES
    queryset = Template.objects.select_related("live_version")
    serializer_class = TemplateShape
    pagination_class = NewestFirst
    filterset_fields: ClassVar = ["slug", "channel", "kind"]

    @extend_schema(request=WordsInput, responses={200: CheckedShape, 201: CheckedShape})
    def post(self, request: Request) -> Response:
        """201 for a new template, 200 for a new version of one that is there."""
        template = save(body_of(request), request=request)
        first = template.live_version is not None and template.live_version.number == 1
        return Response(CheckedShape(template).data, status=201 if first else 200)


class TemplateDetail(APIView):
    required_scope: ClassVar = SCOPES

    @extend_schema(responses=CheckedShape)
    def get(self, request: Request, slug: str) -> Response:
        return Response(CheckedShape(find(slug)).data)

    @extend_schema(request=RewriteInput, responses=CheckedShape, parameters=[IF_MATCH])
    def put(self, request: Request, slug: str) -> Response:
        """The next version, whole: languages that are not given are gone, unless `locale` says that these words are one
        of them. The slug is the address's."""
        data = {"name": find(slug).name, **body_of(request), "slug": slug}
        return Response(CheckedShape(save(data, request=request)).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, slug: str) -> Response:
        """409 while a published journey or another template names it, and once it was sent."""
        find(slug)
        try:
            transactions.run(lambda now: removal.delete(slug))
        except InUse as error:
            raise Conflict(f"It {', and it '.join(error.reasons)}.") from error
        return Response(status=204)


def body_of(request: Request) -> dict[str, Any]:
    """Raises BadRequest for what is no object; no body at all is an empty one."""
    if not isinstance(request.data, dict):
        raise BadRequest(faults=[Fault("type", "the body must be an object")])
    return request.data


def writer(request: Request) -> str:
    """Who wrote it, as versions show it."""
    return f"api:{request.auth.name}"
