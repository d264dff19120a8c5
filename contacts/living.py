"""The contacts that there are: neither merged into somebody else nor erased."""

from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404

from contacts.models import Contact


def living() -> QuerySet[Contact]:
    return Contact.objects.filter(merged_into=None, erased_at=None)


def find(public_id: UUID | str) -> Contact:
    """The contact of this id; the id of one that was merged finds the one that it lives on in. Raises Http404."""
    contact = Contact.objects.filter(public_id=public_id).first()
    while contact is not None and contact.merged_into_id is not None:
        contact = Contact.objects.filter(pk=contact.merged_into_id).first()
    if contact is None or contact.erased_at is not None:
        raise Http404
    return contact
