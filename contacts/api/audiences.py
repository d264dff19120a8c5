"""Tags and lists over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, TypeVar
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from contacts import transactions
from contacts.api.merges import Conflict
from contacts.api.shapes import ContactPage
from contacts.audiences import lists, tags
from contacts.audiences.lists import Place
from contacts.audiences.naming import Refused
from contacts.audiences.sizes import Size, exact_size, sizes
from contacts.audiences.tags import Tagging
from contacts.collect.parsing import BatchJSONParser, elements
from contacts.faults import Fault
from contacts.identifiers import canonical
from contacts.living import living
from contacts.models import Contact, ContactIdentity, ContactTag, List, ListMember, Tag
from contacts.paging import NewestFirst, Page
from contacts.problems import BadRequest
from contacts.shapes import shapes
from contacts.upserting import name_fault

MOST_CONTACTS = 1000
PAGED = [OpenApiParameter("cursor"), OpenApiParameter("limit", int)]
READ_WRITE: Mapping[str, str] = {
    "GET": "contacts:read",
    "POST": "contacts:write",
    "PATCH": "contacts:write",
    "DELETE": "contacts:write",
}
_NAMED_BY = ("id", "external_id", "email", "phone", "anonymous_id")

Result = TypeVar("Result")


class TagShape(serializers.Serializer[Any]):
    """`contacts`: how many have it; about how many where `estimated`, which is in lists alone and beyond 10,000."""

    name = serializers.CharField()
    contacts = serializers.IntegerField()
    estimated = serializers.BooleanField()


class TagPage(Page):
    results = TagShape(many=True)


class ListShape(serializers.Serializer[Any]):
    """`members`: how many contacts are in it; about how many where `estimated`, as with tags."""

    slug = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    members = serializers.IntegerField()
    estimated = serializers.BooleanField()
    created_at = serializers.DateTimeField()


class ListPage(Page):
    results = ListShape(many=True)


class Written(serializers.Serializer[Any]):
    """What is sent to create one. A change sends what is to be changed; the slug stays."""

    slug = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField(required=False)


class Rejected(serializers.Serializer[Any]):
    index = serializers.IntegerField()
    errors = serializers.ListField(child=serializers.DictField())


class PlacesShape(serializers.Serializer[Any]):
    """`unchanged`: who was in the list already, or was not. `rejected` counts `add` first, then `remove`."""

    added = serializers.IntegerField()
    removed = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    rejected = Rejected(many=True)


_TAG = {"application/json": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}}
_NAMES = {kind: {"type": "string"} for kind in _NAMED_BY}
_NAME = {"type": "object", "properties": _NAMES, "minProperties": 1, "maxProperties": 1}
_PLACES = {
    "application/json": {
        "type": "object",
        "description": "At most 1,000 contacts in all, each named by one of its names.",
        "properties": {
            name: {
                "type": "array",
                "items": {"anyOf": [_NAME, {"description": "Rejected by its index."}]},
            }
            for name in ("add", "remove")
        },
    }
}


class TagList(APIView):
    required_scope: ClassVar[Mapping[str, str]] = READ_WRITE

    @extend_schema(operation_id="tags_list", responses=TagPage, parameters=PAGED)
    def get(self, request: Request) -> Response:
        """The newest first."""
        return _paged(self, Tag.objects.all(), request, lambda found: sized("tag", found, _tag_shape))

    @extend_schema(
        operation_id="tags_create",
        request=_TAG,
        responses={200: TagShape, 201: TagShape},
    )
    def post(self, request: Request) -> Response:
        """Have a tag that nobody has yet (201), or find it (200). Tags also come to be when contacts get them."""
        name = _tag_name(request.data)
        tag, created = transactions.run(lambda now: Tag.objects.get_or_create(name=name))
        return Response(_tag_shape(tag), status=201 if created else 200)


class TagDetail(APIView):
    required_scope: ClassVar[Mapping[str, str]] = READ_WRITE

    @extend_schema(responses=TagShape)
    def get(self, request: Request, name: str) -> Response:
        return Response(_tag_shape(_tag(name)))

    @extend_schema(request=_TAG, responses=TagShape)
    def patch(self, request: Request, name: str) -> Response:
        """Call it otherwise; where there is a tag of the new name, the two become one. 409 while a segment, a journey
        or a scoring rule names it."""
        new_name = _tag_name(request.data)
        if "\x00" in name:
            raise Http404
        written(lambda now: tags.rename(name, new_name, source="api", now=now), "The tag is not valid.")
        return Response(_tag_shape(_tag(new_name)))

    @extend_schema(responses={204: None})
    def delete(self, request: Request, name: str) -> Response:
        """Take the tag from everybody, and forget it."""
        if "\x00" in name:
            raise Http404
        written(lambda now: tags.delete(name, source="api", now=now), "The tag is not valid.")
        return Response(status=204)


class TagContacts(APIView):
    required_scope: ClassVar[Mapping[str, str]] = READ_WRITE
    parser_classes: ClassVar = [BatchJSONParser]

    @extend_schema(operation_id="tags_contacts", responses=ContactPage, parameters=PAGED)
    def get(self, request: Request, name: str) -> Response:
        """Who has it, whoever got it last first."""
        return members_page(self, ContactTag.objects.filter(tag_id=_tag(name).pk), request)

    @extend_schema(operation_id="tags_contacts_change", request=_PLACES, responses=PlacesShape)
    def post(self, request: Request, name: str) -> Response:
        """Give the tag to contacts and take it from contacts, at most 1,000 in all. Nobody is created; who is not known
        is rejected by their index, and takes no other along."""
        tag = _tag(name).name

        def give(who: Sequence[int], lane: str, now: datetime) -> int:
            return len(tags.add_tag(contact_ids=who, tag=tag, source="api", now=now, lane=lane))

        def take(who: Sequence[int], lane: str, now: datetime) -> int:
            return len(tags.remove_tags([Tagging(each, tag, "api") for each in who], now=now, lane=lane))

        return _changed(request.data, give, take)


class ListList(APIView):
    required_scope: ClassVar[Mapping[str, str]] = READ_WRITE

    @extend_schema(operation_id="lists_list", responses=ListPage, parameters=PAGED)
    def get(self, request: Request) -> Response:
        """The newest first."""
        return _paged(self, List.objects.all(), request, lambda found: sized("list", found, _list_shape))

    @extend_schema(operation_id="lists_create", request=Written, responses={201: ListShape})
    def post(self, request: Request) -> Response:
        body = said(request.data, {"slug", "name", "description"})
        given = {name: body.get(name, "") for name in ("slug", "name", "description")}
        written(lambda now: lists.create(**given, now=now), "The list is not valid.")
        return Response(_list_shape(_list(given["slug"])), status=201)


class ListDetail(APIView):
    required_scope: ClassVar[Mapping[str, str]] = READ_WRITE

    @extend_schema(responses=ListShape)
    def get(self, request: Request, slug: str) -> Response:
        return Response(_list_shape(_list(slug)))

    @extend_schema(request=Written, responses=ListShape)
    def patch(self, request: Request, slug: str) -> Response:
        body = said(request.data, {"name", "description"})
        written(lambda now: lists.change(slug, **body), "The list is not valid.")
        return Response(_list_shape(_list(slug)))

    @extend_schema(responses={204: None})
    def delete(self, request: Request, slug: str) -> Response:
        """Everybody leaves, and the list goes. 409 while a segment, a journey or a scoring rule names it."""
        written(lambda now: lists.delete(slug, source="api", now=now), "The list is not valid.")
        return Response(status=204)


class ListContacts(APIView):
    required_scope: ClassVar[Mapping[str, str]] = READ_WRITE
    parser_classes: ClassVar = [BatchJSONParser]

    @extend_schema(operation_id="lists_contacts", responses=ContactPage, parameters=PAGED)
    def get(self, request: Request, slug: str) -> Response:
        """Who is in it, whoever joined last first."""
        members = ListMember.objects.filter(list_id=_list(slug).pk)
        return members_page(self, members, request)

    @extend_schema(operation_id="lists_contacts_change", request=_PLACES, responses=PlacesShape)
    def post(self, request: Request, slug: str) -> Response:
        """Add contacts and remove contacts, at most 1,000 in all. Nobody is created; who is not known is rejected by
        their index, and takes no other along."""
        _list(slug)

        def join(who: Sequence[int], lane: str, now: datetime) -> int:
            return len(lists.join([Place(each, slug, "api") for each in who], now=now, lane=lane))

        def leave(who: Sequence[int], lane: str, now: datetime) -> int:
            return len(lists.leave([Place(each, slug, "api") for each in who], now=now, lane=lane))

        return _changed(request.data, join, leave)


# -- what lists and segments share -------------------------------------------------------------------------------------


def said(body: object, known: set[str]) -> dict[str, Any]:
    """The body as an object with no other keys than these. Raises BadRequest."""
    if not isinstance(body, dict):
        raise BadRequest("The body must be an object.")
    if unknown := sorted(body.keys() - known):
        message = f"must be one of {', '.join(sorted(known))}"
        raise BadRequest("The request is not valid.", [Fault("unknown", message, (name,)) for name in unknown])
    return dict(body)


def written(work: Callable[[datetime], Result], detail: str) -> Result:
    """Commit the work. Raises BadRequest or Conflict where it is refused, Http404 where there is nothing to change."""
    try:
        return transactions.run(work)
    except LookupError as error:
        raise Http404 from error
    except Refused as error:
        for fault in error.faults:
            if fault.code == "in_use":
                raise Conflict(f"It {fault.msg}.") from error
        raise BadRequest(detail, error.faults) from error


def sized(of: str, found: Sequence[Any], shape: Callable[[Any, Size], dict[str, Any]]) -> list[dict[str, Any]]:
    size = sizes(of, [row.pk for row in found])
    return [shape(row, size[row.pk]) for row in found]


def members_page(view: APIView, members: QuerySet[Any], request: Request) -> Response:
    """A page of the contacts of rows with a `contact_id`."""

    def of(rows: Sequence[Any]) -> list[dict[str, Any]]:
        contacts = Contact.objects.in_bulk([row.contact_id for row in rows])
        return shapes([contacts[row.contact_id] for row in rows if row.contact_id in contacts])

    return _paged(view, members.filter(contact_id__in=living().values("pk")), request, of)


def _paged(
    view: APIView, rows: QuerySet[Any], request: Request, of: Callable[[Sequence[Any]], list[dict[str, Any]]]
) -> Response:
    paginator = NewestFirst()
    page = paginator.paginate_queryset(rows, request, view=view)
    return paginator.get_paginated_response(of(page or []))


def _tag(name: str) -> Tag:
    found = Tag.objects.filter(name=name).first() if "\x00" not in name else None
    if found is None:
        raise Http404
    return found


def _tag_name(body: object) -> str:
    name = said(body, {"name"}).get("name")
    wrong = name_fault(name) if isinstance(name, str) else Fault("type", "must be a text")
    if wrong or not isinstance(name, str):
        raise BadRequest("The tag is not valid.", [wrong.below("name")] if wrong else [])
    return name.strip()


def _list(slug: str) -> List:
    found = List.objects.filter(slug=slug).first()
    if found is None:
        raise Http404
    return found


def _tag_shape(tag: Tag, size: Size | None = None) -> dict[str, Any]:
    size = size or exact_size("tag", tag.pk)
    return {"name": tag.name, "contacts": size.number, "estimated": size.estimated}


def _list_shape(row: List, size: Size | None = None) -> dict[str, Any]:
    size = size or exact_size("list", row.pk)
    return {
        "slug": row.slug,
        "name": row.name,
        "description": row.description,
        "members": size.number,
        "estimated": size.estimated,
        "created_at": row.created_at,
    }


def _changed(
    body: object,
    add: Callable[[Sequence[int], str, datetime], int],
    remove: Callable[[Sequence[int], str, datetime], int],
) -> Response:
    """Have contacts added and removed, by (their ids, the lane, now) -> how many of these were not, or were, there."""
    found = _known(_wanted(body))
    rejected = [
        {"index": index, "errors": [outcome.below(deed, index).as_json()]}
        for deed, index, outcome in found
        if isinstance(outcome, Fault)
    ]
    adding = [who for deed, _, who in found if deed == "add" and isinstance(who, int)]
    removing = [who for deed, _, who in found if deed == "remove" and isinstance(who, int)]
    lane = "urgent" if len(found) == 1 else "bulk"
    added, removed = transactions.run(lambda now: (add(adding, lane, now), remove(removing, lane, now)))
    unchanged = len(adding) + len(removing) - added - removed
    return Response({"added": added, "removed": removed, "unchanged": unchanged, "rejected": rejected})


def _wanted(body: object) -> list[tuple[str, int, Any]]:
    """(add or remove, index, what was said of whom)."""
    envelope = said(body, {"add", "remove"})
    wanted: list[tuple[str, int, Any]] = [
        (deed, index, raw)
        for deed in ("add", "remove")
        if deed in envelope and envelope[deed] != []
        for index, raw in enumerate(elements(envelope, deed, most=MOST_CONTACTS))
    ]
    if not 1 <= len(wanted) <= MOST_CONTACTS:
        raise BadRequest(f"Name 1 to {MOST_CONTACTS} contacts in add and remove together.")
    return wanted


def _known(wanted: Iterable[tuple[str, int, Any]]) -> list[tuple[str, int, int | Fault]]:
    """Contact ids in the place of what was said. Two statements, whatever the number."""
    read = [(deed, index, _name(raw)) for deed, index, raw in wanted]
    names = {name for _, _, name in read if not isinstance(name, Fault)}
    by_id = Contact.objects.filter(
        public_id__in=[value for kind, value in names if kind == "id"], merged_into=None, erased_at=None
    )
    ids: dict[tuple[str, str], int] = {
        ("id", str(public_id)): pk for public_id, pk in by_id.values_list("public_id", "pk")
    }
    by_name = ContactIdentity.objects.filter(value__in=[value for kind, value in names if kind != "id"])
    ids |= {(kind, value): contact for kind, value, contact in by_name.values_list("kind", "value", "contact_id")}
    nobody = Fault("unknown_contact", "there is no such contact")
    return [(deed, index, name if isinstance(name, Fault) else ids.get(name, nobody)) for deed, index, name in read]


def _name(raw: object) -> tuple[str, str] | Fault:
    """(kind, canonical value) of `{"email": …}` and its like."""
    if not isinstance(raw, dict) or len(raw) != 1 or next(iter(raw)) not in _NAMED_BY:
        return Fault("type", f"must be an object with one of {', '.join(_NAMED_BY)}")
    ((kind, value),) = raw.items()
    if not isinstance(value, str) or not value.strip() or "\x00" in value or not value.isprintable():
        return Fault("type", "must be a text", (kind,))
    if kind != "id":
        return kind, canonical(kind, value)
    try:
        return kind, str(UUID(value))
    except ValueError:
        return Fault("type", "must be an id of a contact", (kind,))
