"""The rules that hold now, one by one: told in English, put and dropped."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from contacts.faults import Fault
from contacts.paging import Page
from contacts.problems import BadRequest, refuse_null_characters
from scoring.api.rulesets import body_of, carry_out
from scoring.api.shapes import RuleShape, author, rule_of
from scoring.models import Ruleset, ScoringRule
from scoring.rulesets import versions
from scoring.rulesets.rules import LEAD

_EXAMPLE = '{"name": "Asked for a demo", "signal": {"event": "demo_requested"}, "points": 25}'
_SCORE_NAME = re.compile(r"[-a-zA-Z0-9_]{1,60}", re.ASCII)
OF_SCORE = OpenApiParameter("ruleset", description="the name of the score; left out: lead")


class ActiveRuleShape(RuleShape):
    """`ruleset` is the version that holds with this rule, e.g. "lead v3"."""

    ruleset = serializers.CharField()
    sentence = serializers.CharField()

    class Meta(RuleShape.Meta):
        fields = ["ruleset", *RuleShape.Meta.fields, "sentence"]


class ActiveRulePage(Page):
    results = ActiveRuleShape(many=True)


class ActiveRules(APIView):
    """The rules that hold now."""

    required_scope: ClassVar = {"GET": "contacts:read", "POST": "admin", "DELETE": "admin"}

    @extend_schema(
        responses=ActiveRulePage,
        parameters=[OpenApiParameter("ruleset", description="only those of this score; left out: of every score")],
    )
    def get(self, request: Request) -> Response:
        """The rules that hold now, in their order, each with what earns its points in English. All on one page."""
        rules = ScoringRule.objects.filter(ruleset__state="active").select_related("ruleset")
        if request.query_params.get("ruleset"):
            rules = rules.filter(ruleset__name=_score(request))
        found = [{"ruleset": str(rule.ruleset), **rule_of(rule)} for rule in rules.order_by("ruleset__name", "id")]
        return Response({"results": found, "next": None, "previous": None})

    @extend_schema(request=RuleShape, responses={201: ActiveRuleShape}, parameters=[OF_SCORE])
    def post(self, request: Request) -> Response:
        """Add a rule to a score, or put it in the place of the one of its name: a new version becomes active, for
        everybody at once. 201 with the rule."""
        rule, name = body_of(request, _EXAMPLE), _score(request)
        pk = carry_out(lambda now: versions.put_rule(rule, now=now, name=name, by=author(request)))
        put = ScoringRule.objects.filter(ruleset_id=pk, name=rule["name"]).earliest("id")
        return Response({"ruleset": str(Ruleset.objects.get(pk=pk)), **rule_of(put)}, status=201)

    @extend_schema(
        responses={204: None},
        parameters=[OF_SCORE, OpenApiParameter("name", required=True, description="the name of the rule")],
    )
    def delete(self, request: Request) -> Response:
        """Take the rule of this name out of a score: a new version without it becomes active. 404 where there is
        none."""
        score, called = _score(request), request.query_params.get("name", "")
        if not called:
            raise BadRequest(faults=[Fault("missing", "say which rule: ?name=", ("name",))])
        try:
            carry_out(lambda now: versions.drop_rule(called, now=now, name=score, by=author(request)))
        except LookupError as error:
            raise exceptions.NotFound("There is no active rule of this name.") from error
        return Response(status=204)


def _score(request: Request) -> str:
    asked: Any = request.query_params
    refuse_null_characters(asked)
    name = asked.get("ruleset") or LEAD
    if not _SCORE_NAME.fullmatch(name):
        message = "must have 1 to 60 letters, digits, hyphens or underscores"
        raise BadRequest("The ruleset is not valid.", [Fault("name", message, ("ruleset",))])
    return name
