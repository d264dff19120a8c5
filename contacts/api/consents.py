"""What a contact agreed to, over HTTP: read, said, and asked for by mail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from contacts import consent, opt_in, transactions
from contacts.api.texts import Text
from contacts.collect.people import WHOLE_MARKETING
from contacts.consent import ALL_TOPICS, CATEGORIES, DENIED, GRANTED, Consent
from contacts.faults import Fault
from contacts.living import find
from contacts.models import ConsentRecord, OptInRequest
from contacts.opt_in import NobodyToAsk
from contacts.paging import NewestFirst
from contacts.problems import BadRequest
from contacts.upserting import name_fault

MOST_TOPICS = 100


class ConsentShape(serializers.ModelSerializer[ConsentRecord]):
    """`topic`: of marketing only, `all` for the whole of it; `email`, `sms` and `push` stand for all that comes by
    them."""

    topic = serializers.SerializerMethodField()

    class Meta:
        model = ConsentRecord
        fields = ["category", "topic", "state", "recorded_at", "source", "evidence"]

    def get_topic(self, record: ConsentRecord) -> str:
        return record.topic or (WHOLE_MARKETING if record.category == "marketing" else "")


def _name(value: str) -> str:
    if flaw := name_fault(value):
        raise serializers.ValidationError(flaw.msg, code=flaw.code)
    return value.strip()


class NewConsent(serializers.Serializer[Any]):
    """`evidence`: what proves it, as JSON: `ip`, `policy_version`, `form`, `wording`, `at`, or whatever else does."""

    category = serializers.ChoiceField(choices=CATEGORIES)
    topic = Text(default=WHOLE_MARKETING, validators=[_name])
    state = serializers.ChoiceField(choices=(GRANTED, DENIED))
    evidence = serializers.DictField(default=dict)

    def validate(self, said: dict[str, Any]) -> dict[str, Any]:
        if said["category"] != "marketing" and said["topic"] != WHOLE_MARKETING:
            raise serializers.ValidationError({"topic": "is for marketing only"}, code="topic")
        return said


class NewOptIn(serializers.Serializer[Any]):
    """`topics`: empty for all marketing. `evidence`: the form that asked, its wording, the address it came from."""

    topics = serializers.ListField(child=Text(validators=[_name]), default=list, max_length=MOST_TOPICS)
    evidence = serializers.DictField(default=dict)


class OptInShape(serializers.ModelSerializer[OptInRequest]):
    class Meta:
        model = OptInRequest
        fields = ["topics", "requested_at", "expires_at", "confirmed_at"]


class Consents(ListAPIView[ConsentRecord]):
    """What the contact agreed to and withdrew, newest first: the last word of each category and topic holds."""

    required_scope: ClassVar[Mapping[str, str]] = {"GET": "contacts:read", "POST": "contacts:write"}
    serializer_class = ConsentShape
    pagination_class = NewestFirst

    def get_queryset(self) -> Any:
        if getattr(self, "swagger_fake_view", False):  # the schema is generated without a contact
            return ConsentRecord.objects.none()
        return ConsentRecord.objects.filter(contact_id=find(self.kwargs["public_id"]).pk)

    @extend_schema(operation_id="contacts_consents_record", request=NewConsent, responses={201: ConsentShape})
    def post(self, request: Request, public_id: UUID) -> Response:
        """Record what they said. When a denial of marketing or of the processing is answered, no marketing request to
        them can start any more."""
        contact_id = find(public_id).pk
        given = NewConsent(data=request.data)
        given.is_valid(raise_exception=True)
        said = given.validated_data
        topic = ALL_TOPICS if said["topic"] == WHOLE_MARKETING else said["topic"]
        word = Consent(contact_id, said["category"], said["state"], topic, said["evidence"] or None)
        transactions.run(lambda now: consent.record([word], source="api", now=now))
        row = ConsentRecord.objects.filter(contact_id=contact_id, category=word.category, topic=topic).latest("id")
        return Response(ConsentShape(row).data, status=201)


class OptIn(APIView):
    required_scope = "contacts:write"

    @extend_schema(request=NewOptIn, responses={202: OptInShape})
    def post(self, request: Request, public_id: UUID) -> Response:
        """Double opt-in: ask by mail (template `confirm-subscription`, which is yours to change) whether they want our
        marketing, or these topics of it. It is granted when they press the button behind the link, with the evidence of
        both sides; an earlier unsubscribe of the address then no longer stands."""
        contact_id = find(public_id).pk
        given = NewOptIn(data=request.data)
        given.is_valid(raise_exception=True)
        topics = [topic for topic in given.validated_data["topics"] if topic != WHOLE_MARKETING]
        if len(topics) < len(given.validated_data["topics"]):
            topics = []
        evidence = given.validated_data["evidence"]
        try:
            request_id = transactions.run(
                lambda now: opt_in.request(contact_id, topics=topics, evidence=evidence, source="api", now=now)
            )
        except NobodyToAsk as error:
            raise BadRequest(
                "There is nobody to ask.", [Fault("no_address", "the contact has no e-mail address", ("email",))]
            ) from error
        return Response(OptInShape(OptInRequest.objects.get(pk=request_id)).data, status=202)
