"""The seed list over HTTP."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import exceptions, serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from contacts import transactions
from contacts.api.texts import Text
from contacts.paging import NewestFirst
from contacts.problems import BadRequest
from delivery.authoring import seeds
from delivery.models import SeedAddress


class SeedInput(serializers.Serializer[Any]):
    email = Text(max_length=320)
    locale = Text(max_length=35, allow_blank=True, default="")
    note = Text(max_length=seeds.LONGEST_NOTE, allow_blank=True, default="")


class SeedShape(serializers.ModelSerializer[SeedAddress]):
    """`locale` empty: it gets every language."""

    class Meta:
        model = SeedAddress
        fields = ["id", "email", "locale", "note", "created_at"]


class SeedList(ListAPIView[SeedAddress]):
    """`GET` lists the addresses; `POST` adds one, or changes what is said of it."""

    required_scope: ClassVar = {"GET": "delivery:read", "POST": "admin"}
    queryset = SeedAddress.objects.all()
    serializer_class = SeedShape
    pagination_class = NewestFirst
    filterset_fields: ClassVar = ["email", "locale"]

    @extend_schema(request=SeedInput, responses={201: SeedShape})
    def post(self, request: Request) -> Response:
        given = SeedInput(data=request.data if isinstance(request.data, dict) else {})
        given.is_valid(raise_exception=True)
        try:
            seed = transactions.run(lambda now: seeds.keep(**given.validated_data, now=now))
        except seeds.BadSeed as error:
            raise BadRequest("The address cannot be added.", error.faults) from error
        return Response(SeedShape(seed).data, status=201)


class SeedDetail(APIView):
    required_scope: ClassVar = {"DELETE": "admin"}

    @extend_schema(responses={204: None})
    def delete(self, request: Request, number: str) -> Response:
        """It gets nothing more."""
        if not transactions.run(lambda now: seeds.drop(int(number))):
            raise exceptions.NotFound("There is no such address.")
        return Response(status=204)
