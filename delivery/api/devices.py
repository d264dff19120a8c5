"""The devices that a contact takes push messages on, over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import exceptions, serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from contacts import transactions
from contacts.api.texts import Text
from contacts.living import find
from contacts.paging import NewestFirst
from contacts.problems import BadRequest
from delivery import devices
from delivery.devices import BadDevice, NewDevice
from delivery.models import PushDevice


class DeviceShape(serializers.ModelSerializer[PushDevice]):
    """What is sent to a device with its keys is nobody's to read, so neither its target nor its keys are shown."""

    id = serializers.UUIDField(source="public_id")

    class Meta:
        model = PushDevice
        fields = ["id", "kind", "agent", "created_at", "seen_at", "gone_at", "gone_why"]


class KeysInput(serializers.Serializer[Any]):
    p256dh = Text(max_length=200)
    auth = Text(max_length=100)


class DeviceInput(serializers.Serializer[Any]):
    """`kind`: webpush (`target` is the endpoint of a browser's subscription, `keys` its keys) · fcm (`target` is an
    app's registration token)."""

    kind = serializers.ChoiceField(devices.KINDS)
    target = Text(max_length=devices.LONGEST_TARGET)
    keys = KeysInput(required=False)
    agent = Text(max_length=devices.LONGEST_AGENT, allow_blank=True, default="")


class Devices(ListAPIView[PushDevice]):
    required_scope: ClassVar[Mapping[str, str]] = {"GET": "contacts:read", "POST": "contacts:write"}
    serializer_class = DeviceShape
    pagination_class = NewestFirst

    def get_queryset(self) -> Any:
        if getattr(self, "swagger_fake_view", False):  # the schema is generated without a contact
            return PushDevice.objects.none()
        return PushDevice.objects.filter(contact_id=find(self.kwargs["public_id"]).pk)

    @extend_schema(operation_id="contacts_devices_register", request=DeviceInput, responses={201: DeviceShape})
    def post(self, request: Request, public_id: UUID) -> Response:
        """Register a device. The same device again is seen again; registered for somebody else, it is theirs."""
        contact_id = find(public_id).pk
        given = DeviceInput(data=request.data)
        given.is_valid(raise_exception=True)
        device = NewDevice(**given.validated_data)

        def work(now: datetime) -> str:
            return devices.register(contact_id, device, now=now)

        try:
            registered = transactions.run(work)
        except BadDevice as error:
            raise BadRequest("Nothing can be sent to this device.", error.faults) from error
        return Response(DeviceShape(PushDevice.objects.get(public_id=registered)).data, status=201)


class DeviceDetail(APIView):
    required_scope: ClassVar[Mapping[str, str]] = {"DELETE": "contacts:write"}

    @extend_schema(responses={204: None})
    def delete(self, request: Request, public_id: UUID, device_id: UUID) -> Response:
        """Forget the device: the contact gets nothing on it any more."""
        if not devices.forget(find(public_id).pk, str(device_id)):
            raise exceptions.NotFound("The contact has no such device.")
        return Response(status=204)
