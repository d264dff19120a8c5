"""The contacts that there are: neither merged into somebody else nor erased."""

from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404

from contacts.models import Contact


def living() -> QuerySet[Contact]:
    return Contact.objects.filter(merged_into=None, erased_at=None)


def find(public_id: UUID | str) -> Contact:
    """Raises Http404."""
    contact = living().filter(public_id=public_id).first()
    if contact is None:
        raise Http404
    return contact
