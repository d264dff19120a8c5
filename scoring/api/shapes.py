"""How rules and rulesets look over HTTP, and how what is wrong with them is said."""

from __future__ import annotations

import re
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import exceptions, serializers
from rest_framework.request import Request

from contacts.faults import Fault
from contacts.problems import BadRequest
from scoring.models import Ruleset, ScoringRule
from scoring.rulesets.decay import KINDS
from scoring.rulesets.parsing import ON_ACTIVATION, REPEATS
from scoring.rulesets.rules import LEAD, BadRules
from scoring.rulesets.wording import told

_PART = re.compile(r"[^.\[\]]+")


class Conflict(exceptions.APIException):
    """409: the version is not in a state that allows this."""

    status_code = 409
    default_code = "conflict"


class DecayShape(serializers.Serializer[Any]):
    """`period` is an ISO 8601 duration: the half-life, or the time until nothing is left."""

    type = serializers.ChoiceField(KINDS, required=False)
    period = serializers.CharField(required=False)


class RepeatShape(serializers.Serializer[Any]):
    """`period` goes with once_per."""

    policy = serializers.ChoiceField(REPEATS, required=False)
    period = serializers.CharField(required=False)


class GroupShape(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=200)
    cap = serializers.FloatField()


@extend_schema_field(DecayShape)
class DecayField(serializers.JSONField):
    """As it was written; {} for none."""


@extend_schema_field(RepeatShape)
class RepeatField(serializers.JSONField):
    """As it was written; {} for every time."""


@extend_schema_field(GroupShape(many=True))
class GroupsField(serializers.JSONField):
    """A list of groups."""


class RuleShape(serializers.ModelSerializer[ScoringRule]):
    """`signal` is `{"event": TYPE, "where"?: CONDITION, "within"?: "P30D"}`, which counts each event, or a condition,
    which gives its points once, while it is true."""

    signal = serializers.DictField()
    decay = DecayField(required=False)
    cap = serializers.FloatField(required=False, allow_null=True)
    group = serializers.CharField(required=False, allow_blank=True)
    repeat = RepeatField(required=False)
    human_only = serializers.BooleanField(required=False, default=True)

    class Meta:
        model = ScoringRule
        fields = ["name", "signal", "points", "decay", "cap", "group", "repeat", "human_only"]


class SettingsShape(serializers.Serializer[Any]):
    """What a ruleset says beside its rules. `parts`: names of other scores, each with its weight; `hysteresis`: the
    share of the threshold by which a score must be below it to have fallen; `rearm_after`: an ISO 8601 duration."""

    title = serializers.CharField(required=False, allow_blank=True)
    mql_threshold = serializers.FloatField(required=False, default=60)
    cap = serializers.FloatField(required=False, allow_null=True)
    groups = GroupsField(required=False)
    parts = serializers.DictField(child=serializers.FloatField(), required=False)
    hysteresis = serializers.FloatField(required=False, default=0.1)
    rearm_after = serializers.CharField(required=False, allow_blank=True)
    on_activation = serializers.ChoiceField(ON_ACTIVATION, required=False, default="emit")


class RulesetInput(SettingsShape):
    """What `POST` takes, for the schema: the rules themselves are read by `parsing.parse_ruleset`."""

    name = serializers.CharField(required=False, default=LEAD)
    state = serializers.ChoiceField(["active", "draft"], required=False, default="active")
    rules = RuleShape(many=True)


class DraftInput(SettingsShape):
    """What `PUT` takes: the whole draft."""

    name = serializers.CharField(required=False)
    rules = RuleShape(many=True)


class ActivationInput(serializers.Serializer[Any]):
    """`emit`: whoever is on another side of the threshold under the new rules has crossed it, and that is told;
    `rebase`: they stand there, and nothing is told. Left out: what the draft says."""

    on_activation = serializers.ChoiceField(ON_ACTIVATION, required=False)


class RulesetShape(serializers.ModelSerializer[Ruleset]):
    groups = GroupsField()
    parts = serializers.DictField(child=serializers.FloatField())
    rules = RuleShape(many=True)

    class Meta:
        model = Ruleset
        fields = [
            "id", "name", "version", "state", "title", "mql_threshold", "cap", "groups", "parts", "hysteresis",
            "rearm_after", "on_activation", "based_on", "edits", "created_at", "created_by", "activated_at",
            "activated_by", "rules",
        ]  # fmt: skip


class RuleChangeShape(serializers.Serializer[Any]):
    """`what`: the name of the rule, or which setting."""

    kind = serializers.ChoiceField(["added", "removed", "changed", "moved", "setting"])
    what = serializers.CharField()
    sentences = serializers.ListField(child=serializers.CharField())


class VersionReference(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    name = serializers.CharField()
    version = serializers.IntegerField()
    state = serializers.CharField()


class RulesetDiffShape(serializers.Serializer[Any]):
    """`against` is null where there was nothing to compare with: every rule is new."""

    against = VersionReference(allow_null=True)
    ruleset = VersionReference()
    changes = RuleChangeShape(many=True)


def rule_of(rule: ScoringRule) -> dict[str, Any]:
    """A rule as it is answered by itself: with what earns its points in English."""
    return {**RuleShape(rule).data, "sentence": told(rule.signal)}


def refused(error: BadRules, detail: str = "The rules are not valid.") -> BadRequest:
    """400, with every place."""
    places = [Fault(problem.code, problem.message, _loc(problem.path)) for problem in error.problems]
    return BadRequest(detail, places)


def author(request: Request) -> str:
    return f"key {request.auth.name}"


def _loc(path: str) -> tuple[str | int, ...]:
    """`rules[2].decay.period` -> rules, 2, decay, period."""
    return tuple(int(part) if part.isascii() and part.isdigit() else part for part in _PART.findall(path))
