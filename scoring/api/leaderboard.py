"""Who has the highest scores."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from contacts import transactions
from contacts.conditions import Condition, parse
from contacts.faults import Fault
from contacts.models import Contact, Segment
from contacts.paging import Page
from contacts.patience import TookTooLong
from contacts.problems import BadRequest, Unavailable, refuse_null_characters
from scoring.api.scores import NAME, asked_instant, asked_score
from scoring.lifecycle import stages
from scoring.projection import leaderboard
from scoring.rulesets import reading

MOST = 500
USUAL = 100


class PersonShape(serializers.Serializer[Any]):
    id = serializers.UUIDField(source="public_id")
    email = serializers.CharField()
    external_id = serializers.CharField()


class RankingShape(serializers.Serializer[Any]):
    """`stage` is null for who never had one."""

    rank = serializers.IntegerField()
    contact = PersonShape()
    score = serializers.FloatField()
    stage = serializers.CharField(allow_null=True)


class LeaderboardShape(Page):
    """`ruleset` is empty where the score has no active rules."""

    results = RankingShape(many=True)
    at = serializers.DateTimeField()
    ruleset = serializers.CharField()


class Leaderboard(APIView):
    required_scope = "contacts:read"

    @extend_schema(
        operation_id="scoring_leaderboard",
        responses=LeaderboardShape,
        parameters=[
            NAME,
            OpenApiParameter("limit", int, description=f"How many, up to {MOST}; {USUAL} if not said."),
            OpenApiParameter("at", datetime, description="Another instant than now."),
            OpenApiParameter("segment", str, description="Only the members of this segment."),
            OpenApiParameter("stage", str, description="Only those in this lifecycle stage.", enum=stages.STAGES),
        ],
    )
    def get(self, request: Request) -> Response:
        """The contacts with the highest scores, the highest first, all on one page. Who is equal stands in the order
        in which they became contacts. 503 where the answer would take too long: a smaller group may be asked about."""
        name, ruleset = asked_score(request)
        ruleset = ruleset or reading.active_ruleset(name)
        at, limit, among = asked_instant(request, "at"), _limit(request), _among(request)

        def look(now: datetime) -> tuple[datetime, tuple[leaderboard.Row, ...]]:
            when = at or now
            return when, leaderboard.top(at=when, ruleset=ruleset, limit=limit, among=among) if ruleset else ()

        try:
            when, rows = transactions.run(look)
        except TookTooLong as error:
            raise Unavailable("Adding up the scores of everybody took too long. Ask about a segment.") from error
        ids = [row.contact_id for row in rows]
        people, found = Contact.objects.in_bulk(ids), stages.current_stages(ids)
        standings = [
            {
                "rank": rank,
                "contact": people[row.contact_id],
                "score": row.score,
                "stage": found.get(row.contact_id) or None,
            }
            for rank, row in enumerate(rows, 1)
            if row.contact_id in people
        ]
        return Response(
            {
                "results": RankingShape(standings, many=True).data,
                "next": None,
                "previous": None,
                "at": when,
                "ruleset": ruleset.label if ruleset else "",
            }
        )


def _limit(request: Request) -> int:
    text = request.query_params.get("limit", str(USUAL))
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MOST and len(text) < 9):
        raise BadRequest("The limit is not valid.", [Fault("out_of_range", f"must be 1 to {MOST}", ("limit",))])
    return int(text)


def _among(request: Request) -> Condition | None:
    asked = {name: request.query_params[name] for name in ("segment", "stage") if name in request.query_params}
    refuse_null_characters(asked)
    parts: list[dict[str, Any]] = []
    if "stage" in asked:
        if asked["stage"] not in stages.STAGES:
            fault = Fault("unknown", f"must be one of {', '.join(stages.STAGES)}", ("stage",))
            raise BadRequest("There is no such stage.", [fault])
        parts.append({"field": "lifecycle_stage", "op": "eq", "value": asked["stage"]})
    if "segment" in asked:
        if not Segment.objects.filter(slug=asked["segment"]).exists():
            raise BadRequest("There is no such segment.", [Fault("unknown", "there is no such segment", ("segment",))])
        parts.append({"in_segment": asked["segment"]})
    return parse({"all": parts}) if parts else None
