"""Contacts over HTTP: found, shown, created and completed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from contacts import tallies, transactions, upserting
from contacts.api.privacy import actor_of
from contacts.api.schema import BULK, BULK_OUTCOME, PERSON
from contacts.api.shapes import ContactPage, ContactShape
from contacts.audiences import lists
from contacts.collect.parsing import BatchJSONParser, elements, parse_instant
from contacts.collect.people import parse_person
from contacts.events import RESIDENCY
from contacts.faults import Fault
from contacts.identifiers import canonical
from contacts.living import find, living
from contacts.models import (
    Contact,
    ContactIdentity,
    ContactTag,
    List,
    ListMember,
    Segment,
    SegmentMember,
    Tag,
)
from contacts.paging import NewestFirst, Place
from contacts.privacy import erasing
from contacts.privacy.family import NobodyThere
from contacts.problems import BadRequest
from contacts.shapes import shapes
from contacts.upserting import NameTaken, Person, Upserted

MOST_CONTACTS = 1000
REFUSED = Fault("refused", "the database cannot store this contact")
_NAMES = ("email", "external_id", "phone", "anonymous_id")
_SINCE: Mapping[str, str] = {"created_after": "created_at__gt", "created_before": "created_at__lt"}


class ContactList(APIView):
    required_scope: ClassVar[Mapping[str, str]] = {"GET": "contacts:read", "POST": "contacts:write"}

    @extend_schema(
        operation_id="contacts_list",
        responses=ContactPage,
        parameters=[
            *(OpenApiParameter(name) for name in (*_NAMES, "tag", "list", "segment", "cursor")),
            *(OpenApiParameter(name, OpenApiTypes.DATETIME) for name in _SINCE),
            OpenApiParameter("limit", int),
        ],
    )
    def get(self, request: Request) -> Response:
        """The newest first; `?email=`, `?external_id=`, `?phone=` and `?anonymous_id=` find one, however it is spelt;
        `?tag=`, `?list=` and `?segment=` those who have or are in it, `?created_after=` and `?created_before=` who
        came to be then, that instant not included."""
        chosen = living()
        for kind in _NAMES:
            if kind in request.query_params:
                chosen = chosen.filter(pk__in=_meant(kind, request.query_params[kind]))
        paginator = NewestFirst()
        place = paginator.place(request)
        groups = [
            members(request.query_params[name].replace("\x00", ""))
            for name, members in _MEMBERS.items()
            if name in request.query_params
        ]
        if len(groups) == 1 and not {*_NAMES, *_SINCE} & set(request.query_params):
            chosen = chosen.filter(pk__in=_members(groups[0], place, paginator.get_page_size(request) + 1))
        else:
            for group in groups:
                chosen = chosen.filter(pk__in=group.filter(**place.bound("contact_id")).values("contact_id"))
        for name, field in _SINCE.items():
            if name in request.query_params:
                chosen = chosen.filter(**{field: _instant(request.query_params[name], name)})
        page = paginator.paginate_queryset(chosen, request, view=self)
        return paginator.get_paginated_response(shapes(page or []))

    @extend_schema(operation_id="contacts_upsert", request=PERSON, responses={200: ContactShape, 201: ContactShape})
    def post(self, request: Request) -> Response:
        """Create a contact (201), or complete the one that is known (200): external_id decides who is meant, then
        email, then anonymous_id. Attributes and consents are merged (a null removes an attribute), tags and
        lists are added."""
        person = _understood(parse_person(request.data))
        done = transactions.run(lambda now: upserting.upsert([person], source="api", now=now))
        (contact_id,) = done.contact_ids
        if contact_id is None:
            raise _invalid([REFUSED])
        return _shown(contact_id, status=201 if done.created else 200)


class ContactBulk(APIView):
    required_scope = "contacts:write"
    parser_classes: ClassVar = [BatchJSONParser]

    @extend_schema(operation_id="contacts_upsert_bulk", request=BULK, responses={200: BULK_OUTCOME})
    def post(self, request: Request) -> Response:
        """The same for 1 to 1,000 contacts at once, in their order; a malformed one is rejected by its index and takes
        no other along. `updated`: the contact was changed by this call, or had just been created by it."""
        people: dict[int, Person] = {}
        rejected: dict[int, list[Fault]] = {}
        for index, raw in enumerate(elements(request.data, "contacts", most=MOST_CONTACTS)):
            said = parse_person(raw)
            if isinstance(said, Person):
                people[index] = said
            else:
                rejected[index] = said
        wrong = _unknown_lists(people.values())
        rejected |= {index: faults for index, person in people.items() if (faults := wrong(person))}
        people = {index: person for index, person in people.items() if index not in rejected}

        def work(now: datetime) -> Upserted:
            return upserting.upsert(list(people.values()), source="api", now=now, lane="bulk")

        done = transactions.run(work)
        _count_refused_regions(rejected.values())
        numbers = {"created": 0, "updated": 0, "unchanged": 0}
        counted: set[int] = set()
        for index, contact_id in zip(people, done.contact_ids, strict=True):
            if contact_id is None:
                rejected[index] = [REFUSED]
            elif contact_id in done.created and contact_id not in counted:
                numbers["created"] += 1
            else:
                numbers["updated" if contact_id in done.updated | done.created else "unchanged"] += 1
            counted.add(contact_id or 0)
        return Response(
            {
                **numbers,
                "rejected": [
                    {"index": index, "errors": [fault.as_json() for fault in rejected[index]]}
                    for index in sorted(rejected)
                ],
            }
        )


class ContactDetail(APIView):
    required_scope: ClassVar[Mapping[str, str]] = {
        "GET": "contacts:read",
        "PATCH": "contacts:write",
        "DELETE": "contacts:write",
    }

    @extend_schema(responses=ContactShape)
    def get(self, request: Request, public_id: UUID) -> Response:
        return Response(shapes([find(public_id)])[0])

    @extend_schema(request=PERSON, responses=ContactShape)
    def patch(self, request: Request, public_id: UUID) -> Response:
        """Change what is said and nothing else, merging as the upsert does. A new external_id or email is shown from
        then on, and the old one still means this contact; one that means somebody else is refused."""
        contact = find(public_id)
        person = _understood(parse_person(request.data, named=False))
        if kept := _taken_away(request.data, contact):
            raise _invalid(kept)
        try:
            contact_id = transactions.run(lambda now: upserting.change(contact.pk, person, source="api", now=now))
        except NameTaken as error:
            raise _invalid(error.faults) from error
        return _shown(contact_id)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, public_id: UUID) -> Response:
        """Erase the person, as `erase` does: a contact is never deleted and still known somewhere."""
        contact_id = find(public_id).pk
        try:
            transactions.run(lambda now: erasing.erase(contact_id, actor=actor_of(request), now=now))
        except NobodyThere as error:
            raise Http404 from error
        return Response(status=204)


def _found(among: QuerySet[Any], rows: QuerySet[Any], key: str) -> QuerySet[Any]:
    """The rows of the one that was named. It is looked up first: of a number PostgreSQL knows how many rows it has, of
    a name in another table it does not, and would read contacts from the newest on until a page is full."""
    number = among.values_list("pk", flat=True).first()
    return rows.none() if number is None else rows.filter(**{key: number})


_MEMBERS: Mapping[str, Callable[[str], QuerySet[Any]]] = {
    "tag": lambda name: _found(Tag.objects.filter(name=name), ContactTag.objects.all(), "tag"),
    "list": lambda slug: _found(List.objects.filter(slug=slug), ListMember.objects.all(), "list"),
    "segment": lambda slug: _found(Segment.objects.filter(slug=slug), SegmentMember.objects.all(), "segment"),
}


def _members(rows: QuerySet[Any], place: Place, wanted: int) -> list[int]:
    """The contacts of these rows from that place on: `wanted` of them and perhaps some more, or all that are left.

    They are looked for by themselves. Joined with contacts, PostgreSQL takes them to be spread evenly, and reads a
    million contacts from the newest on where all of them are old."""
    found: list[int] = []
    near = rows.order_by("contact_id" if place.backwards else "-contact_id").values_list("contact_id", flat=True)
    while True:
        numbers = list(near.filter(**place.bound("contact_id"))[:wanted])
        found += living().filter(pk__in=numbers).values_list("pk", flat=True)
        if len(numbers) < wanted or len(found) >= wanted:
            return found
        place = replace(place, id=numbers[-1])


def _instant(said: str, name: str) -> datetime:
    instant = parse_instant(said)
    if isinstance(instant, Fault):
        raise BadRequest(faults=[instant.below(name)])
    return instant


def _unknown_lists(people: Iterable[Person]) -> Callable[[Person], list[Fault]]:
    """What is wrong with the lists of each of these people. One statement for all."""
    unknown = lists.unknown({slug for person in people for slug in person.lists})
    return lambda person: [
        Fault("unknown_list", "there is no such list", ("lists", position))
        for position, slug in enumerate(person.lists)
        if slug in unknown
    ]


def _count_refused_regions(rejected: Collection[list[Fault]]) -> None:
    """Beside the events that are refused for the same reason."""
    number = sum(any(fault.code == RESIDENCY.code for fault in faults) for faults in rejected)
    if number:
        outcomes = tallies.rejections([[RESIDENCY]] * number)
        transactions.run(lambda now: tallies.count(outcomes, source="contacts", now=now), aside=True)


def _understood(said: Person | list[Fault]) -> Person:
    if isinstance(said, Person):
        said = _unknown_lists([said])(said) or said
    if isinstance(said, Person):
        return said
    _count_refused_regions([said])
    raise _invalid(said)


def _invalid(faults: list[Fault]) -> BadRequest:
    return BadRequest("The contact is not valid.", faults)


def _taken_away(raw: Mapping[str, Any], contact: Contact) -> list[Fault]:
    return [
        Fault("kept", "cannot be taken away", (kind,))
        for kind in ("external_id", "email")
        if kind in raw and raw[kind] in (None, "") and getattr(contact, kind)
    ]


def _shown(contact_id: int, status: int = 200) -> Response:
    return Response(shapes([Contact.objects.get(pk=contact_id)])[0], status=status)


def _meant(kind: str, value: str) -> list[int]:
    if "\x00" in value:  # nothing in PostgreSQL has it, and asking would be an error
        return []
    named = ContactIdentity.objects.filter(kind=kind, value=canonical(kind, value))
    return list(named.values_list("contact_id", flat=True))
