"""The rules and their versions."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from contacts import transactions
from contacts.faults import Fault
from contacts.paging import NewestFirst, Page
from contacts.problems import BadRequest
from scoring.models import Ruleset, ScoringRule
from scoring.rulesets import reading, versions, wording
from scoring.rulesets.rules import LEAD, BadRules

_PART = re.compile(r"[^.\[\]]+")
_NAME = re.compile(r"[-a-zA-Z0-9_]{1,60}", re.ASCII)


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
    """What `POST` takes, for the schema: the rules themselves are read by `parsing.parse_rules`."""

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
            ruleset = transactions.run(lambda now: versions.activate(**given, now=now))
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
            for ruleset in reading.active_rulesets()
            for rule in ruleset.rules
        ]
        return Response({"results": found, "next": None, "previous": None})
