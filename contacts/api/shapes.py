"""What the world sees of a contact."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from django.db import connection
from rest_framework import serializers

from contacts.collect.people import WHOLE_MARKETING
from contacts.models import Contact
from contacts.paging import Page


class ContactShape(serializers.Serializer):
    """`consents`: {tracking, marketing: {<topic>|all}, data_processing}, each granted or denied."""

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


class ContactPage(Page):
    results = ContactShape(many=True)


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
                found[contact_id].setdefault(category, {})[topic or WHOLE_MARKETING] = state
            else:
                found[contact_id][category] = state
    return found
