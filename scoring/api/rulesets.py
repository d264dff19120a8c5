"""Versions of named scores: lists, drafts with their edits, activation, and what differs between two of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, ClassVar

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import exceptions
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from contacts import transactions
from contacts.api.freshness import IF_MATCH, Stale, check_revision
from contacts.faults import Fault
from contacts.paging import NewestFirst
from contacts.problems import BadRequest
from scoring.api.shapes import (
    ActivationInput,
    Conflict,
    DraftInput,
    RulesetDiffShape,
    RulesetInput,
    RulesetShape,
    VersionReference,
    author,
    refused,
)
from scoring.models import Ruleset
from scoring.rulesets import diff, versions
from scoring.rulesets.rules import LEAD, BadRules

LARGEST_ID = 10**18  # ids are bigints: a longer one is nobody's
READ_OR_WRITE: dict[str, str] = {"GET": "contacts:read", "POST": "admin", "PUT": "admin", "DELETE": "admin"}


def find(pk: int | str) -> Ruleset:
    number = int(pk)
    found = Ruleset.objects.prefetch_related("rules").filter(pk=number).first() if number < LARGEST_ID else None
    if found is None:
        raise exceptions.NotFound("There is no such version of a score.")
    return found


def answer(pk: int, status: int = 200) -> Response:
    """The version, and the ETag that a write must match."""
    ruleset = find(pk)
    return Response(RulesetShape(ruleset).data, status=status, headers={"ETag": f'"{ruleset.edits}"'})


def meant(request: Request, draft: Ruleset) -> int | None:
    """The number of edits of the draft that `If-Match` names; None where the writer does not ask. Raises Stale."""
    check_revision(request, draft.edits)
    return None if request.headers.get("If-Match", "").strip() in ("", "*") else draft.edits


def carry_out(work: Callable[[datetime], Any]) -> Any:
    """In one transaction, with what the room refuses said as problems."""
    try:
        return transactions.run(work)
    except BadRules as error:
        raise refused(error) from error
    except versions.Stale as error:
        raise Stale from error
    except versions.NoDraft as error:
        raise Conflict("Only drafts can be changed, activated and discarded.") from error


def body_of(request: Request, example: str = '{"rules": [ … ]}') -> dict[str, Any]:
    if not isinstance(request.data, dict):
        raise BadRequest(f"The body must be an object such as {example}.")
    return dict(request.data)


class RulesetList(ListAPIView[Ruleset]):
    """Every version of every score, newest first; `?name=` and `?state=` narrow."""

    required_scope: ClassVar = READ_OR_WRITE
    queryset = Ruleset.objects.prefetch_related("rules")
    serializer_class = RulesetShape
    pagination_class = NewestFirst
    filterset_fields: ClassVar = ["name", "state"]

    @extend_schema(request=RulesetInput, responses={201: RulesetShape})
    def post(self, request: Request) -> Response:
        """Make these rules the active version of their score, for everybody at once; with `"state": "draft"`, write
        them down as a draft. 201 with the version."""
        given = body_of(request)
        state = given.pop("state", "active")
        if state not in ("active", "draft"):
            raise BadRequest("The ruleset is not valid.", [Fault("choice", "must be active or draft", ("state",))])
        written = {"name": LEAD, **given}

        def work(now: datetime) -> int:
            pk = versions.write_draft(written, now=now, by=author(request))
            return pk if state == "draft" else versions.activate_draft(pk, now=now, by=author(request))

        return answer(carry_out(work), 201)


class RulesetDetail(APIView):
    """One version. Drafts can be written anew as a whole, and discarded; `If-Match` with the number of edits says from
    which one: 412 where the draft was saved since, 409 for what is not a draft."""

    required_scope: ClassVar = READ_OR_WRITE

    @extend_schema(responses=RulesetShape)
    def get(self, request: Request, pk: str) -> Response:
        return answer(find(pk).pk)

    @extend_schema(request=DraftInput, responses=RulesetShape, parameters=[IF_MATCH])
    def put(self, request: Request, pk: str) -> Response:
        draft = find(pk)
        written = {"name": draft.name, **body_of(request)}
        edits = meant(request, draft)
        carry_out(lambda now: versions.change_draft(draft.pk, written, edits=edits, by=author(request)))
        return answer(draft.pk)

    @extend_schema(responses={204: None}, parameters=[IF_MATCH])
    def delete(self, request: Request, pk: str) -> Response:
        draft = find(pk)
        edits = meant(request, draft)
        carry_out(lambda now: versions.discard_draft(draft.pk, edits=edits))
        return Response(status=204)


class Activate(APIView):
    """The draft holds for everybody from now on. 412 and 409 as when it is written."""

    required_scope = "admin"

    @extend_schema(request=ActivationInput, responses=RulesetShape, parameters=[IF_MATCH])
    def post(self, request: Request, pk: str) -> Response:
        draft = find(pk)
        edits = meant(request, draft)
        given = body_of(request, '{"on_activation": "rebase"}') if request.data else {}
        if unknown := sorted(given.keys() - {"on_activation"}):
            raise BadRequest(faults=[Fault("unknown_key", "unknown key", (name,)) for name in unknown])
        chosen = given.get("on_activation")

        def work(now: datetime) -> int:
            return versions.activate_draft(draft.pk, now=now, on_activation=chosen, edits=edits, by=author(request))

        return answer(carry_out(work))


class Draft(APIView):
    """A new draft that says what this version says, whatever its state: to change it, or to bring it back."""

    required_scope = "admin"

    @extend_schema(request=None, responses={201: RulesetShape})
    def post(self, request: Request, pk: str) -> Response:
        version = find(pk)
        made = carry_out(lambda now: versions.draft_from(version.pk, now=now, by=author(request)))
        return answer(made, 201)


class Diff(APIView):
    """What this version says differently from another one, rule by rule, in sentences."""

    required_scope = "contacts:read"

    @extend_schema(
        responses=RulesetDiffShape,
        parameters=[
            OpenApiParameter("against", OpenApiTypes.INT, description="an id; left out: the score's active version")
        ],
    )
    def get(self, request: Request, pk: str) -> Response:
        version, asked = find(pk), request.query_params.get("against")
        if asked is not None and not (asked.isascii() and asked.isdigit() and len(asked) <= 18):
            raise BadRequest(faults=[Fault("type", "expected the id of a version", ("against",))])
        active = Ruleset.objects.filter(name=version.name, state="active").first()
        against = find(asked) if asked else active
        before = versions.as_written(against) if against else versions.nothing_written(version.name)
        changes = diff.compare(before, versions.as_written(version))
        return Response(
            {
                "against": VersionReference(against).data if against else None,
                "ruleset": VersionReference(version).data,
                "changes": [vars(change) for change in changes],
            }
        )
