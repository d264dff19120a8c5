"""What a template would say to somebody, what is wrong with it, who lacks what it names, and trying it out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, ClassVar, TypeVar

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from contacts import transactions
from contacts.api.texts import Text
from contacts.audiences import segments
from contacts.audiences.naming import Refused
from contacts.conditions import compile_condition, parse
from contacts.conditions.fragment import TRUE
from contacts.faults import Fault
from contacts.paging import yes_or_no
from contacts.problems import BadRequest, refuse_null_characters
from delivery.api.templates import CheckShape, Draft, body_of, find, problem
from delivery.authoring import checks, missing, previews, seeds, templates, test_sends
from delivery.authoring.previews import NoSuchContact, Person
from delivery.authoring.rendering import Words
from delivery.authoring.templates import BadTemplate, Wording
from delivery.authoring.test_sends import UnableToTry
from delivery.models import Template

READ = {"GET": "workflows:read", "POST": "workflows:read"}
LONGEST_NAME = 320
LONGEST_LOCALE = 100
Result = TypeVar("Result")


class PreviewInput(Draft):
    """`contact`: the id, external id or e-mail address of somebody; empty: an example person. `locale`: as if that were
    theirs. `trigger` (or `event`): the properties of what starts the journey. Words that are given take the place of
    the live version's."""

    contact = Text(max_length=LONGEST_NAME, allow_blank=True, default="")
    locale = Text(max_length=LONGEST_LOCALE, allow_blank=True, default=None, allow_null=True)
    trigger = serializers.DictField(default=None, allow_null=True)
    event = serializers.DictField(default=None, allow_null=True)


class TemplatePreviewShape(serializers.Serializer[Any]):
    """`language`: which of the template's; empty: its own. `problem` says why it cannot be rendered; then the words are
    empty."""

    subject = serializers.CharField(source="rendered.subject")
    preheader = serializers.CharField()
    html = serializers.CharField(source="rendered.html")
    text = serializers.CharField(source="rendered.text")
    language = serializers.CharField()
    contact = serializers.CharField(source="person")
    problem = serializers.CharField()


class Findings(serializers.Serializer[Any]):
    checks = CheckShape(many=True)


class MissingInput(serializers.Serializer[Any]):
    """`audience`: a condition; without one, everybody. `event`: the type of the event that starts the journey."""

    audience = serializers.JSONField(default=None, allow_null=True)
    event = Text(max_length=200, default="", allow_blank=True)


class GapShape(serializers.Serializer[Any]):
    name = serializers.CharField()
    parts = serializers.ListField(child=serializers.CharField())
    missing = serializers.IntegerField()
    sample = serializers.ListField(child=serializers.UUIDField())


class MissingShape(serializers.Serializer[Any]):
    """Of `audience` contacts (the newest, where `is_part`), how many lack what each tag names. `handled`: tags with
    other words for them. `is_known` false: it took too long."""

    audience = serializers.IntegerField()
    is_part = serializers.BooleanField()
    is_known = serializers.BooleanField(source="is_patient")
    events = serializers.IntegerField()
    gaps = GapShape(many=True)
    handled = serializers.ListField(child=serializers.CharField())


class TestInput(serializers.Serializer[Any]):
    """`to`: a list of addresses; one alone may stand without a list."""

    to = serializers.ListField(child=Text(max_length=LONGEST_NAME), min_length=1, max_length=20)
    contact = Text(max_length=LONGEST_NAME, allow_blank=True, default="")
    locale = Text(max_length=LONGEST_LOCALE, allow_blank=True, default=None, allow_null=True)
    trigger = serializers.DictField(default=None, allow_null=True)


class TestShape(serializers.Serializer[Any]):
    """The addresses that a mail is on its way to."""

    to = serializers.ListField(child=serializers.EmailField())


class SeedsShape(serializers.Serializer[Any]):
    mails = serializers.IntegerField()
    messages = serializers.IntegerField()
    languages = serializers.IntegerField()


def person_of(request: Request, identifier: str) -> Person:
    """Raises BadRequest, and PermissionDenied for a key that may not read contacts."""
    if identifier and not request.auth.may("contacts:read"):
        raise PermissionDenied
    try:
        return previews.person(identifier)
    except NoSuchContact as error:
        raise BadRequest("There is no such contact.", [Fault("no_contact", "nobody has it", ("contact",))]) from error


def wording_of(template: Template, given: Mapping[str, Any]) -> Wording:
    """The words that were given, else the live version's. Raises BadRequest."""
    try:
        if (unsaved := Draft.manuscript(given, template)) is not None:
            return templates.wording_of(templates.made(unsaved), unsaved.options)
    except BadTemplate as error:
        raise problem(error) from error
    if template.live_version_id is None:
        return Wording(Words("", "", "", ""))
    return templates.wordings_of([template.live_version_id])[template.live_version_id]


def _validated(shape: type[serializers.Serializer[Any]], data: dict[str, Any]) -> dict[str, Any]:
    given = shape(data=data)
    given.is_valid(raise_exception=True)
    return dict(given.validated_data)


def _tried(work: Callable[[datetime], Result]) -> Result:
    try:
        return transactions.run(work)
    except UnableToTry as error:
        raise BadRequest("Nothing was sent.", error.faults) from error


class TemplatePreview(APIView):
    """What somebody would get."""

    required_scope: ClassVar = READ

    @extend_schema(
        parameters=[OpenApiParameter("contact", str), OpenApiParameter("locale", str)], responses=TemplatePreviewShape
    )
    def get(self, request: Request, slug: str) -> Response:
        """The live version. `?contact=` (id, external id or e-mail address; needs contacts:read) `?locale=`"""
        asked = {name: request.query_params[name] for name in ("contact", "locale") if name in request.query_params}
        refuse_null_characters(asked)
        return self._answer(request, slug, asked)

    @extend_schema(request=PreviewInput, responses=TemplatePreviewShape)
    def post(self, request: Request, slug: str) -> Response:
        """The live version, or the words in the body, which are not saved."""
        return self._answer(request, slug, body_of(request))

    def _answer(self, request: Request, slug: str, data: dict[str, Any]) -> Response:
        template = find(slug)
        given = _validated(PreviewInput, data)
        shown = previews.preview(
            wording_of(template, data),
            person_of(request, given["contact"]),
            locale=given["locale"],
            trigger=given["trigger"] if given["trigger"] is not None else given["event"],
            channel=template.channel,
        )
        return Response(TemplatePreviewShape(shown).data)


class TemplateChecks(APIView):
    """What a reader, a mail program or a spam filter would mind."""

    required_scope: ClassVar = READ

    @extend_schema(parameters=[OpenApiParameter("links", bool)], responses=Findings)
    def get(self, request: Request, slug: str) -> Response:
        """`?links=true` asks every link whether it is there, which takes some seconds."""
        template = find(slug)
        wording = wording_of(template, {})
        found = checks.findings(wording, channel=template.channel)
        if yes_or_no(request.query_params, "links"):
            found += checks.broken_links(wording.default)
        return Response({"checks": [each.as_json() for each in found]})

    @extend_schema(request=Draft, responses=Findings)
    def post(self, request: Request, slug: str) -> Response:
        """Of words that are not saved."""
        template = find(slug)
        wording = wording_of(template, body_of(request))
        return Response({"checks": [each.as_json() for each in checks.findings(wording, channel=template.channel)]})


class TemplateMissing(APIView):
    """Who lacks what the template names."""

    required_scope: ClassVar = "contacts:read"

    @extend_schema(request=MissingInput, responses=MissingShape)
    def post(self, request: Request, slug: str) -> Response:
        """Counted over the audience as it is now."""
        given = _validated(MissingInput, body_of(request))
        wording = wording_of(find(slug), {})

        def work(now: datetime) -> missing.Report:
            where = TRUE
            if given["audience"] is not None:
                segments.validate(given["audience"])
                where = compile_condition(parse(given["audience"]), now=now)
            return missing.report([wording], where=where, event_type=given["event"])

        try:
            return Response(MissingShape(transactions.run(work)).data)
        except Refused as error:
            faults = [Fault(each.code, each.msg, ("audience", *each.loc[1:])) for each in error.faults]
            raise BadRequest("The audience cannot be read.", faults) from error


class TemplateTest(APIView):
    """Mails to those who work here."""

    required_scope: ClassVar = "workflows:write"

    @extend_schema(request=TestInput, responses={202: TestShape})
    def post(self, request: Request, slug: str) -> Response:
        """The live version, its subject marked, to addresses of ours. `contact` needs contacts:read."""
        find(slug)
        data = body_of(request)
        if isinstance(data.get("to"), str):
            data = {**data, "to": [data["to"]]}
        given = _validated(TestInput, data)
        person = person_of(request, given["contact"])
        to = _tried(
            lambda now: test_sends.send(
                slug, given["to"], person=person, locale=given["locale"], trigger=given["trigger"], now=now
            )
        )
        return Response({"to": to}, status=202)


class TemplateSeeds(APIView):
    """Every language to the seed list."""

    required_scope: ClassVar = "workflows:write"

    @extend_schema(request=None, responses={202: SeedsShape})
    def post(self, request: Request, slug: str) -> Response:
        """The live version as it would go out."""
        find(slug)
        sent = _tried(lambda now: seeds.send([slug], now=now))
        return Response(SeedsShape(sent).data, status=202)
