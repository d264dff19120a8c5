"""What the documents of the API say of a contact (`contacts.shapes` makes it)."""

from __future__ import annotations

from rest_framework import serializers

from contacts.paging import Page


class ContactShape(serializers.Serializer):
    """`consents`: {tracking, marketing: {<topic>|all}, data_processing, sale}, each granted or denied."""

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
    segments = serializers.ListField(child=serializers.CharField())
    frequency_cap = serializers.JSONField(allow_null=True)
    consents = serializers.JSONField()


class ContactPage(Page):
    results = ContactShape(many=True)
