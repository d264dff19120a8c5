"""The judge over HTTP: a contact's score taken apart, their lifecycle, and the rules."""

from __future__ import annotations

import re
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from contacts import clock, transactions
from contacts.collect.parsing import parse_instant
from contacts.faults import Fault
from contacts.living import find
from contacts.paging import NewestFirst, Page
from contacts.problems import BadRequest
from scoring import projection, rules, rulesets, wording
from scoring.models import LifecycleEvent, Ruleset, ScoringRule
from scoring.rules import LEAD, BadRules

# No event lies outside, and windows can be counted back from the first of them.
FIRST, LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
MOVES_SHOWN = 200

_PART = re.compile(r"[^.\[\]]+")
_NAME = re.compile(r"[-a-zA-Z0-9_]{1,60}", re.ASCII)


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
        explained = projection.explain(contact.pk, at)
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


class MoveShape(serializers.Serializer[Any]):
    def get_fields(self) -> dict[str, Any]:
        return {
            "from": serializers.CharField(source="from_stage"),
            "to": serializers.CharField(source="to_stage"),
            "reason": serializers.CharField(),
            "source": serializers.CharField(),
            "at": serializers.DateTimeField(source="occurred_at"),
        }


class LifecycleShape(serializers.Serializer[Any]):
    stage = serializers.CharField(allow_null=True)
    events = MoveShape(many=True)


class Lifecycle(APIView):
    required_scope = "contacts:read"

    @extend_schema(responses=LifecycleShape)
    def get(self, request: Request, public_id: UUID) -> Response:
        """The stage (null: none yet) and the moves that led to it, newest first, the last 200."""
        moves = list(LifecycleEvent.objects.filter(contact_id=find(public_id).pk).order_by("-id")[:MOVES_SHOWN])
        return Response({"stage": moves[0].to_stage if moves else None, "events": MoveShape(moves, many=True).data})


class RuleShape(serializers.ModelSerializer[ScoringRule]):
    class Meta:
        model = ScoringRule
        fields = ["name", "signal", "points", "decay", "cap"]


class RulesetShape(serializers.ModelSerializer[Ruleset]):
    rules = RuleShape(many=True)

    class Meta:
        model = Ruleset
        fields = ["name", "version", "state", "mql_threshold", "created_at", "activated_at", "rules"]


class RulesetInput(serializers.Serializer[Any]):
    """What `POST` takes, for the schema: the rules themselves are read by `rules.parse_rules`."""

    name = serializers.CharField(required=False, default=LEAD)
    mql_threshold = serializers.FloatField(required=False, default=60)
    rules = RuleShape(many=True)


class RulesetList(ListAPIView[Ruleset]):
    """Every version of every score, newest first; `?name=` and `?state=` narrow."""

    required_scope: ClassVar = {"GET": "contacts:read", "POST": "admin"}
    queryset = Ruleset.objects.prefetch_related("rules")
    serializer_class = RulesetShape
    pagination_class = NewestFirst
    filterset_fields: ClassVar = ["name", "state"]

    @extend_schema(request=RulesetInput, responses={201: RulesetShape})
    def post(self, request: Request) -> Response:
        """Make these rules the active version of their score, for everybody at once: `{name?, mql_threshold?, rules}`.
        201 with the version."""
        given = _read(request.data)
        try:
            ruleset = transactions.run(lambda now: rulesets.activate(**given, now=now))
        except BadRules as error:
            places = [Fault(problem.code, problem.message, _loc(problem.path)) for problem in error.problems]
            raise BadRequest("The rules are not valid.", places) from error
        return Response(RulesetShape(self.get_queryset().get(pk=ruleset)).data, status=201)


def _read(raw: object) -> dict[str, Any]:
    if not isinstance(raw, dict):
        raise BadRequest('The body must be an object such as {"rules": [ … ]}.')
    faults = [
        Fault("unknown", "must be name, mql_threshold or rules", (name,))
        for name in sorted(raw.keys() - {"name", "mql_threshold", "rules"})
    ]
    name = raw.get("name", LEAD)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        faults.append(Fault("name", "must have 1 to 60 letters, digits, hyphens or underscores", ("name",)))
    if faults:
        raise BadRequest("The ruleset is not valid.", faults)
    return {"rules": None, **raw}


def _loc(path: str) -> tuple[str | int, ...]:
    """`rules[2].decay.period` -> rules, 2, decay, period."""
    return tuple(int(part) if part.isdigit() else part for part in _PART.findall(path))


class ActiveRuleShape(serializers.Serializer[Any]):
    ruleset = serializers.CharField()
    name = serializers.CharField()
    sentence = serializers.CharField()
    signal = serializers.JSONField()
    points = serializers.FloatField()
    decay = serializers.JSONField()
    cap = serializers.FloatField(allow_null=True)


class ActiveRulePage(Page):
    results = ActiveRuleShape(many=True)


class ActiveRules(APIView):
    required_scope = "contacts:read"

    @extend_schema(operation_id="scoring_rules_active", responses=ActiveRulePage)
    def get(self, request: Request) -> Response:
        """The rules that hold now, in their order, each with what earns its points in English. All on one page."""
        found = [
            {
                "ruleset": ruleset.label,
                "name": rule.name,
                "sentence": wording.sentence(rule.signal),
                "signal": rule.signal,
                "points": rule.points,
                "decay": rule.fading,
                "cap": rule.cap,
            }
            for ruleset in rules.active_rulesets()
            for rule in ruleset.rules
        ]
        return Response({"results": found, "next": None, "previous": None})
