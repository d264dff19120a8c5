"""The post office over HTTP: the send ledger, the addresses that are not written to, and a stopped provider."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import UUID

from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import exceptions, serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from contacts import clock, identifiers, transactions
from contacts.api.texts import Text
from contacts.faults import Fault
from contacts.identifiers import canonical
from contacts.models import Contact, ContactIdentity
from contacts.pages import floors
from contacts.paging import NewestFirst
from contacts.problems import BadRequest, refuse_null_characters
from delivery import addresses, dead_letters, suppression
from delivery.models import Message, OutboxEntry, SendLogEntry, Suppression, TemplateVersion
from delivery.models.message import OPEN_STATES, STATES
from delivery.providers import CHANNELS, entries
from delivery.rates import stopping

READ_OR_CHANGE: Mapping[str, str] = {"GET": "delivery:read", "POST": "admin"}
REASONS = ("manual", "unsubscribe", "hard_bounce", "soft_bounce", "complaint", "provider")


STATE_FIELDS = ("state", "reason", "provider", "provider_code", "provider_said", "changed_at")


class MessageSerializer(serializers.ModelSerializer[Message]):
    """A message with its state, which `Messages` reads for a whole page at once."""

    id = serializers.UUIDField(source="public_id")
    contact = serializers.UUIDField(source="contact_public_id", allow_null=True)
    template = serializers.CharField(source="template_version.template.slug")
    template_version = serializers.IntegerField(source="template_version.number")
    workflow = serializers.SerializerMethodField()
    state = serializers.CharField(default=None)
    reason = serializers.CharField(default=None, allow_null=True)
    provider = serializers.CharField(default=None, allow_null=True)
    provider_code = serializers.IntegerField(default=None, allow_null=True)
    provider_said = serializers.CharField(default=None, allow_null=True)
    changed_at = serializers.DateTimeField(default=None, allow_null=True)

    class Meta:
        model = Message
        fields = [
            "id", "contact", "channel", "workflow", "step", "template", "template_version", "message_class", "topic",
            "priority", "lane", "created_at", *STATE_FIELDS,
        ]  # fmt: skip

    def get_workflow(self, message: Message) -> str | None:
        about = message.context.get("about") if isinstance(message.context, dict) else None
        return about.get("workflow") if isinstance(about, dict) else None

    def to_representation(self, message: Message) -> dict[str, Any]:
        vars(message).update(self.context["states"].get(message.pk, {}))
        return super().to_representation(message)


@extend_schema_view(
    get=extend_schema(
        parameters=[
            OpenApiParameter("state", enum=STATES),
            OpenApiParameter("contact", OpenApiTypes.UUID),
            *(OpenApiParameter(name) for name in ("external_id", "email", "address", "workflow", "template", "step")),
        ]
    )
)
class Messages(ListAPIView[Message]):
    """What was meant to be sent, newest first, each with what became of it.

    `?state= ?contact= (its id) ?external_id= ?email= (or ?address=) ?workflow= (slug) ?template= (slug) ?step=`"""

    required_scope = "delivery:read"
    serializer_class = MessageSerializer
    pagination_class = NewestFirst
    filter_backends: ClassVar[list[Any]] = []

    def get_queryset(self) -> QuerySet[Message]:
        people = Contact.objects.filter(pk=OuterRef("contact_id"))
        return (
            Message.objects.filter(*_wanted(self.request.query_params))
            .select_related("template_version__template")
            .annotate(contact_public_id=Subquery(people.values("public_id")[:1]))
        )

    def paginate_queryset(self, queryset: QuerySet[Message]) -> list[Message] | None:
        page = super().paginate_queryset(queryset)
        self.states = _states([message.pk for message in page or []])
        return page

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "states": getattr(self, "states", {})}


def _wanted(asked: Mapping[str, str]) -> list[Q]:
    """The filters of the query string. Raises BadRequest."""
    refuse_null_characters(asked)
    wanted = []
    if state := asked.get("state"):
        if state not in STATES:
            raise BadRequest("There is no such state.", [Fault("unknown", f"one of {', '.join(STATES)}", ("state",))])
        if state in OPEN_STATES:
            wanted.append(Q(pk__in=OutboxEntry.objects.filter(state=state).values("message_id")))
        else:  # a final word is the last one, unless the message was sent anew
            later = SendLogEntry.objects.filter(message=OuterRef("message"), kind="replayed", id__gt=OuterRef("id"))
            words = SendLogEntry.objects.filter(~Exists(later), kind=state)
            wanted.append(Q(pk__in=words.values("message_id")))
    if (contact := asked.get("contact")) is not None:
        wanted.append(Q(contact_id__in=Contact.objects.filter(public_id=_uuid(contact)).values("pk")))
    for name, kind in (("external_id", "external_id"), ("email", "email"), ("address", "email")):
        if value := asked.get(name):
            known = ContactIdentity.objects.filter(kind=kind, value=canonical(kind, value))
            wanted.append(Q(contact_id__in=known.values("contact_id")))
    # by their ids, looked up first: PostgreSQL then knows how many there are, and need not read from the newest on
    if template := asked.get("template"):
        versions = TemplateVersion.objects.filter(template__slug=template).values_list("pk", flat=True)
        wanted.append(Q(template_version_id__in=list(versions)))
    if workflow := asked.get("workflow"):
        # whose id nobody has is nobody's: that is no message
        wanted.append(Q(workflow_id=floors.by_slug("workflow", workflow) or 0))
    if step := asked.get("step"):
        wanted.append(Q(step=step))
    return wanted


def _uuid(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError as error:
        raise BadRequest("The id of a contact is a UUID.", [Fault("uuid", "is not a UUID", ("contact",))]) from error


def _states(message_ids: list[int]) -> dict[int, dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT message_id, {', '.join(STATE_FIELDS)} FROM message_states WHERE message_id = ANY(%s)",
            [message_ids],
        )
        return {row[0]: dict(zip(STATE_FIELDS, row[1:], strict=True)) for row in cursor.fetchall()}


WHY_NOT_AGAIN: Mapping[str, str] = {
    "open": "It is still under way.",
    "reported": "Something was reported of it, so the provider had it.",
    "in_doubt": "It may have been sent.",
    "undetermined": "It may have been sent.",
}


class NotRejected(exceptions.APIException):
    status_code = 409
    default_code = "not_rejected"


class ReplayMessage(APIView):
    """Send a message anew that was rejected: with all its attempts, if the gate still lets it."""

    required_scope = "admin"

    @extend_schema(request=None, responses=OpenApiTypes.OBJECT)
    def post(self, request: Request, message_id: str) -> Response:
        """200 once it is queued; 409 for one that was not rejected, or may have arrived."""
        try:
            message = Message.objects.only("pk").get(public_id=UUID(message_id))
        except (ValueError, Message.DoesNotExist) as error:
            raise exceptions.NotFound("There is no such message.") from error
        done = transactions.run(lambda now: dead_letters.replay([message.pk], now=now))
        if not done.messages:
            why = done.refused[message.pk]
            raise NotRejected(WHY_NOT_AGAIN.get(why, f"It was not rejected: {why}."))
        return Response({"message": str(UUID(message_id)), "replayed": True})


class SuppressionSerializer(serializers.ModelSerializer[Suppression]):
    address = serializers.CharField(source="address.shown")
    channel = serializers.CharField(source="address.channel")

    class Meta:
        model = Suppression
        fields = ["id", "address", "channel", "scope", "reason", "source", "created_at", "released_at", "released_by"]


class NewSuppressionSerializer(serializers.Serializer[Any]):
    """`address`: an e-mail address or a telephone number."""

    address = Text(max_length=320)
    scope = Text(max_length=100, default=suppression.ALL)
    reason = serializers.ChoiceField(choices=REASONS, default="manual")

    def validate_address(self, address: str) -> str:
        channel, told = _named(address)
        if identifiers.fault("email" if channel == "email" else "phone", told):
            raise serializers.ValidationError("is neither an e-mail address nor a telephone number", code="address")
        return told

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        """What bars a channel stands at an address of it: at another one it would stop nothing."""
        channel, _ = _named(given["address"])
        if given["scope"] in CHANNELS and given["scope"] != channel:
            said = f"expected all, {channel} or a topic: the address is one of {channel}"
            raise serializers.ValidationError({"scope": said}, code="scope")
        return given


def _named(address: str) -> tuple[str, str]:
    """Its channel, and the address without what people write around it."""
    return ("email", address.strip()) if "@" in address else ("sms", canonical("phone", address))


def _at(given: str) -> Q:
    """The address's rows, however it is written."""
    channel, address = _named(given)
    return Q(address__channel=channel, address__key_hash__in=addresses.keys(channel, address))


@extend_schema_view(get=extend_schema(parameters=[OpenApiParameter("address")]))
class Suppressions(ListAPIView[Suppression]):
    """Addresses that are not written to, newest first; `?address= ?scope= ?reason=` narrow. POST adds one."""

    required_scope: ClassVar = READ_OR_CHANGE
    serializer_class = SuppressionSerializer
    pagination_class = NewestFirst
    filterset_fields: ClassVar = ["scope", "reason"]

    def get_queryset(self) -> QuerySet[Suppression]:
        rows = Suppression.objects.select_related("address")
        address = self.request.query_params.get("address")
        if address:
            rows = rows.filter(_at(address))
        return rows

    @extend_schema(request=NewSuppressionSerializer, responses={201: SuppressionSerializer})
    def post(self, request: Request) -> Response:
        """`{address, scope: all|<channel>|<topic>, reason}`. 201 once no request to the address can start any more."""
        given = NewSuppressionSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        wanted = given.validated_data
        channel, _ = _named(wanted["address"])
        suppression.suppress(channel=channel, source="api", now=clock.now(), **wanted)
        standing = Suppression.objects.select_related("address").filter(_at(wanted["address"]), released_at=None)
        return Response(SuppressionSerializer(standing.filter(reason=wanted["reason"]).latest("id")).data, status=201)


class ResumeProvider(APIView):
    """Use a provider again that was stopped by a 401 or 403."""

    required_scope = "admin"

    @extend_schema(request=None, responses=OpenApiTypes.OBJECT)
    def post(self, request: Request, name: str) -> Response:
        if name not in entries():
            raise exceptions.NotFound(f"There is no provider {name!r}.")
        return Response({"provider": name, "resumed": transactions.run(lambda now: stopping.resume(name))})
