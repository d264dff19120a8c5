"""A contact's score, taken apart."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from contacts import clock
from contacts.collect.parsing import parse_instant
from contacts.faults import Fault
from contacts.living import find
from contacts.problems import BadRequest
from scoring.projection import explanation
from scoring.rulesets import wording

# No event lies outside, and windows can be counted back from the first of them.
FIRST, LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


class ScoreShape(serializers.Serializer[Any]):
    """`rules`: what each of them gives, `points` being what counts; their sum is the score."""

    score = serializers.FloatField()
    at = serializers.DateTimeField()
    ruleset = serializers.CharField()
    rules = serializers.ListField(child=serializers.DictField())


class Score(APIView):
    required_scope = "contacts:read"

    @extend_schema(responses=ScoreShape, parameters=[OpenApiParameter("at", datetime)])
    def get(self, request: Request, public_id: UUID) -> Response:
        """The score now, or at the instant `?at=`, rule by rule and event by event (the newest 50 of each rule)."""
        contact = find(public_id)
        at = _instant(request.query_params["at"]) if "at" in request.query_params else clock.now()
        explained = explanation.explain(contact.pk, at)
        return Response(
            {
                "score": explained.score,
                "at": explained.at,
                "ruleset": explained.ruleset,
                "rules": [{**asdict(share), "sentence": wording.sentence(share.signal)} for share in explained.rules],
            }
        )


def _instant(text: str) -> datetime:
    # the + of a zone that was not escaped arrives as a space
    instant = parse_instant(text[:11] + text[11:].replace(" ", "+"))
    if isinstance(instant, datetime) and not FIRST <= instant <= LAST:
        instant = Fault("out_of_range", f"must lie between the years {FIRST.year} and {LAST.year}")
    if isinstance(instant, Fault):
        raise BadRequest("The instant cannot be read.", [instant.below("at")])
    return instant
