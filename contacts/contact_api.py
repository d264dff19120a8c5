"""Contacts, as programs read them. (Writing comes with the upsert.)"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from contacts.identifiers import canonical
from contacts.models import Contact, ContactIdentity
from contacts.paging import NewestFirst

ALL_MARKETING = "all"


class ContactShape(serializers.Serializer):
    """What the world sees of a contact. `consents`: {tracking, marketing: {<topic>|all}, data_processing}."""

    id = serializers.UUIDField()
    external_id = serializers.CharField()
    email = serializers.CharField()
    phone = serializers.CharField()
    timezone = serializers.CharField()
    locale = serializers.CharField()
    region = serializers.CharField()
    owner_email = serializers.CharField()
    attributes = serializers.JSONField()
    tags = serializers.ListField(child=serializers.CharField())
    lists = serializers.ListField(child=serializers.CharField())
    frequency_cap = serializers.JSONField(allow_null=True)
    consents = serializers.JSONField()


class ContactPage(serializers.Serializer):
    results = ContactShape(many=True)
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)


class ContactList(APIView):
    required_scope = "contacts:read"

    @extend_schema(
        operation_id="contacts_list",
        responses=ContactPage,
        parameters=[OpenApiParameter("email"), OpenApiParameter("external_id")],
    )
    def get(self, request: Request) -> Response:
        """The newest first; `?email=` and `?external_id=` find one, however it is spelt."""
        chosen = living()
        for kind in ("email", "external_id"):
            if kind in request.query_params:
                chosen = chosen.filter(pk__in=_meant(kind, request.query_params[kind]))
        paginator = NewestFirst()
        page = paginator.paginate_queryset(chosen, request, view=self)
        return paginator.get_paginated_response(shapes(page or []))


class ContactDetail(APIView):
    required_scope = "contacts:read"

    @extend_schema(responses=ContactShape)
    def get(self, request: Request, public_id: UUID) -> Response:
        contact = living().filter(public_id=public_id).first()
        if contact is None:
            raise Http404
        return Response(shapes([contact])[0])


def living() -> QuerySet[Contact]:
    """Neither merged into somebody else nor erased."""
    return Contact.objects.filter(merged_into=None, erased_at=None)


def _meant(kind: str, value: str) -> list[int]:
    if "\x00" in value:  # nothing in PostgreSQL has it, and asking would be an error
        return []
    named = ContactIdentity.objects.filter(kind=kind, value=canonical(kind, value))
    return list(named.values_list("contact_id", flat=True))


def shapes(contacts: Sequence[Contact]) -> list[dict[str, Any]]:
    """Contracted shapes of these contacts: two statements, whatever their number."""
    ids = [contact.pk for contact in contacts]
    tags, consents = _tags(ids), _consents(ids)
    plain = ("external_id", "email", "phone", "timezone", "locale", "region", "owner_email", "attributes")
    return [
        {
            "id": str(contact.public_id),
            **{name: getattr(contact, name) for name in plain},
            "tags": tags[contact.pk],
            "lists": [],
            "frequency_cap": contact.frequency_cap,
            "consents": consents[contact.pk],
        }
        for contact in contacts
    ]


def _tags(ids: Sequence[int]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT contact_id, name FROM contact_tags JOIN tags ON tags.id = tag_id
             WHERE contact_id = ANY(%s) ORDER BY contact_id, name
            """,
            [list(ids)],
        )
        for contact_id, name in cursor.fetchall():
            found[contact_id].append(name)
    return found


def _consents(ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """The last word of each category and topic."""
    found: dict[int, dict[str, Any]] = defaultdict(dict)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT DISTINCT ON (contact_id, category, topic) contact_id, category, topic, state FROM consent_records
             WHERE contact_id = ANY(%s) ORDER BY contact_id, category, topic, id DESC
            """,
            [list(ids)],
        )
        for contact_id, category, topic, state in cursor.fetchall():
            if category == "marketing":
                found[contact_id].setdefault(category, {})[topic or ALL_MARKETING] = state
            else:
                found[contact_id][category] = state
    return found
