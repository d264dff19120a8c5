"""Merging over HTTP: two profiles that are one person's, and parting them again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q
from drf_spectacular.utils import extend_schema
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from contacts import merging, transactions
from contacts.api.privacy import actor_of
from contacts.api.shapes import ContactShape
from contacts.faults import Fault
from contacts.living import find
from contacts.merging import NotUndone, Unmergeable
from contacts.models import Contact, ContactMerge
from contacts.paging import NewestFirst, Page
from contacts.problems import BadRequest
from contacts.shapes import shapes

MOST = 20  # contacts of one call
_ID = {"type": "string", "format": "uuid"}
_WANTED = {
    "application/json": {
        "oneOf": [
            {
                "type": "object",
                "required": ["contacts"],
                "properties": {"contacts": {"type": "array", "items": _ID, "minItems": 2, "maxItems": MOST}},
            },
            {
                "type": "object",
                "required": ["survivor", "absorbed"],
                "properties": {"survivor": _ID, "absorbed": _ID},
            },
        ]
    }
}
_PAIRS = (("survivor", "absorbed"), ("survivor_id", "absorbed_id"))


class Conflict(exceptions.APIException):
    status_code = 409
    default_detail = "That is not possible now."
    default_code = "conflict"


class MergeShape(serializers.Serializer[Any]):
    """`survivor` and `absorbed` are ids of contacts; `undone_at` is null while the merge stands."""

    id = serializers.IntegerField()
    survivor = serializers.UUIDField()
    absorbed = serializers.UUIDField()
    merged_at = serializers.DateTimeField()
    source = serializers.CharField()
    actor = serializers.CharField()
    undone_at = serializers.DateTimeField(allow_null=True)
    undone_by = serializers.CharField()


class MergedShape(ContactShape):
    """The contact that survived, and what was done (empty: they were one already)."""

    merges = MergeShape(many=True)


class MergePage(Page):
    results = MergeShape(many=True)


class Merge(APIView):
    required_scope = "contacts:write"

    @extend_schema(operation_id="contacts_merge", request=_WANTED, responses=MergedShape)
    def post(self, request: Request) -> Response:
        """These contacts are one person. The oldest that is known by more than a device survives, in whatever order
        they are named; the ids of the others lead to it from then on, and it has their history. Answers the survivor,
        with `merges`. Each attribute is the one that was set last, the strictest consent holds. The same again changes
        nothing."""
        wanted = _wanted(request.data)
        known = dict(Contact.objects.filter(public_id__in=wanted).values_list("public_id", "pk"))
        if len(known) < len(set(wanted)):
            raise exceptions.NotFound("There is no such contact.")

        def work(now: datetime) -> list[int]:
            merges = merging.unite(list(known.values()), source="api", actor=actor_of(request), now=now)
            return [each.merge_id for each in merges]

        try:
            merge_ids = transactions.run(work)
        except Unmergeable as error:
            if error.code == "same":
                raise BadRequest("Two different contacts are needed.", [Fault("same", str(error))]) from error
            raise exceptions.NotFound("There is no such contact.") from error
        survivor = find(wanted[0])
        return Response(
            {**shapes([survivor])[0], "merges": merge_shapes(ContactMerge.objects.filter(pk__in=merge_ids))}
        )


class ContactMerges(APIView):
    required_scope = "contacts:read"

    @extend_schema(responses=MergePage)
    def get(self, request: Request, public_id: UUID) -> Response:
        """The merges that this contact came out of, and those that were undone, newest first."""
        contact_id = find(public_id).pk
        chosen = ContactMerge.objects.filter(Q(survivor_id=contact_id) | Q(absorbed_id=contact_id))
        paginator = NewestFirst()
        page = paginator.paginate_queryset(chosen, request, view=self)
        return paginator.get_paginated_response(merge_shapes(page or []))


class MergeUndo(APIView):
    required_scope = "contacts:write"

    @extend_schema(operation_id="merges_undo", request=None, responses=MergeShape)
    def post(self, request: Request, merge_id: int) -> Response:
        """Part the two contacts again: what was moved goes back, what was filled in is taken back where nobody changed
        it since. Journeys that ended with the merge stay ended. 409 where it was undone before, where the survivor was
        merged into another contact since (undo that first), and where the person was erased."""
        try:
            transactions.run(lambda now: merging.undo(merge_id, actor=actor_of(request), now=now))
        except NotUndone as error:
            if error.code == "unknown":
                raise exceptions.NotFound("There is no such merge.") from error
            raise Conflict(f"{error}.") from error
        return Response(merge_shapes(ContactMerge.objects.filter(pk=merge_id))[0])


def merge_shapes(merges: Iterable[ContactMerge]) -> list[Mapping[str, Any]]:
    rows = list(merges)
    ids = {contact_id for row in rows for contact_id in (row.survivor_id, row.absorbed_id)}
    public = dict(Contact.objects.filter(pk__in=ids).values_list("pk", "public_id"))
    return [
        MergeShape(
            {
                **{
                    name: getattr(row, name)
                    for name in ("id", "merged_at", "source", "actor", "undone_at", "undone_by")
                },
                "survivor": public[row.survivor_id],
                "absorbed": public[row.absorbed_id],
            }
        ).data
        for row in rows
    ]


def _wanted(raw: Any) -> Sequence[UUID]:
    """The ids that a body names. Raises BadRequest."""
    if not isinstance(raw, dict):
        raise BadRequest("The body must be an object.")
    for pair in _PAIRS:
        if any(name in raw for name in pair):
            return [_id(raw.get(name), (name,)) for name in pair]
    named = raw.get("contacts")
    if not isinstance(named, list) or not 2 <= len(named) <= MOST:
        raise BadRequest(
            "The contacts to merge are not given.",
            [Fault("missing", f"must be a list of 2 to {MOST} ids of contacts", ("contacts",))],
        )
    return [_id(each, ("contacts", position)) for position, each in enumerate(named)]


def _id(value: Any, loc: tuple[str | int, ...]) -> UUID:
    try:
        return UUID(value)
    except (TypeError, ValueError, AttributeError) as error:
        raise BadRequest("The contacts are not valid.", [Fault("uuid", "must be the id of a contact", loc)]) from error
