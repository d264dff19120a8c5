"""How an experiment stands, over HTTP: the same figures as on its page."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from analytics.api.experiments import find
from analytics.experiments import results
from analytics.experiments.always_valid import Arm
from analytics.experiments.results import Results
from analytics.experiments.verdicts import Challenge, Held
from contacts import transactions


class IntervalShape(serializers.Serializer[Any]):
    low = serializers.FloatField()
    high = serializers.FloatField()


class VariantShape(serializers.Serializer[Any]):
    """`assigned` ever; `settled`: those who count, as their window is over; `converted` of these; `open` are the
    others, `converted_so_far` of them (null: too many to count now). `rate_interval` is valid at every look. `lift`,
    `interval` (of the difference) and `p_value` against the base; `pairs` compared so far, of `expected_pairs`."""

    key = serializers.CharField()
    weight = serializers.FloatField()
    is_base = serializers.BooleanField()
    assigned = serializers.IntegerField()
    settled = serializers.IntegerField()
    converted = serializers.IntegerField()
    open = serializers.IntegerField()
    converted_so_far = serializers.IntegerField(allow_null=True)
    rate = serializers.FloatField()
    rate_interval = IntervalShape()
    lift = serializers.FloatField(allow_null=True)
    interval = IntervalShape(allow_null=True)
    p_value = serializers.FloatField(allow_null=True)
    decided = serializers.ChoiceField(["better", "worse", "alike"], allow_null=True)
    pairs = serializers.IntegerField(allow_null=True)
    expected_pairs = serializers.IntegerField(allow_null=True)


class VerdictShape(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(["keep_running", "winner", "no_difference", "broken_split", "vetoed"])
    variant = serializers.CharField()
    reason = serializers.CharField()


class GuardrailShape(serializers.Serializer[Any]):
    """`struck` of the `contacts` of the variant; `worse`: by how much more than of the base's; `broken`: by more than
    the limit, beyond chance."""

    name = serializers.CharField()
    limit = serializers.FloatField()
    variant = serializers.CharField()
    contacts = serializers.IntegerField()
    struck = serializers.IntegerField()
    base_contacts = serializers.IntegerField()
    base_struck = serializers.IntegerField()
    worse = IntervalShape()
    broken = serializers.BooleanField()


class ArmShape(IntervalShape):
    variant = serializers.CharField()
    contacts = serializers.IntegerField()
    converted = serializers.IntegerField()
    rate = serializers.FloatField()


class MomentShape(serializers.Serializer[Any]):
    """Of everybody who counts and was assigned up to `at`."""

    at = serializers.DateTimeField()
    variants = ArmShape(many=True)


class PathPointShape(serializers.Serializer[Any]):
    """After `pairs` pairs in which one of two converted: by how many the challenger leads, and where that decides."""

    pairs = serializers.IntegerField()
    lead = serializers.IntegerField(allow_null=True)
    better = serializers.FloatField(allow_null=True)
    worse = serializers.FloatField(allow_null=True)
    alike_low = serializers.FloatField(allow_null=True)
    alike_high = serializers.FloatField(allow_null=True)


class PathShape(serializers.Serializer[Any]):
    variant = serializers.CharField()
    points = PathPointShape(many=True)


class ResultsShape(serializers.Serializer[Any]):
    experiment = serializers.CharField()
    at = serializers.DateTimeField()
    state = serializers.CharField()
    goal = serializers.JSONField(allow_null=True)
    window = serializers.CharField()
    method = serializers.CharField()
    alpha = serializers.FloatField()
    power = serializers.FloatField()
    effect = serializers.FloatField()
    split_p_value = serializers.FloatField(allow_null=True)
    verdict = VerdictShape(allow_null=True)
    variants = VariantShape(many=True)
    guardrails = GuardrailShape(many=True)
    history = MomentShape(many=True)
    paths = PathShape(many=True)


class ExperimentResults(APIView):
    required_scope = "workflows:read"

    @extend_schema(responses=ResultsShape)
    def get(self, request: Request, slug: str) -> Response:
        """How every variant does against the base, and what may be said of it now. Looking often changes nothing; the
        first look at outcomes fixes what the experiment asks."""
        experiment = find(slug)
        return Response(told(transactions.run(lambda now: results.look(experiment, now=now))))


def told(read: Results) -> dict[str, Any]:
    """The answer of `results`."""
    experiment, verdict = read.experiment, read.verdict
    challenges = {each.variant: each for each in verdict.challenges} if verdict else {}
    return {
        "experiment": experiment.slug,
        "at": read.at,
        "state": experiment.state,
        "goal": experiment.goal,
        "window": experiment.window,
        "method": experiment.method,
        "alpha": experiment.alpha,
        "power": experiment.power,
        "effect": experiment.effect,
        "split_p_value": verdict.split_p_value if verdict else None,
        "verdict": {"kind": verdict.kind, "variant": verdict.variant, "reason": verdict.reason} if verdict else None,
        "variants": [
            {
                "key": each.variant,
                "weight": each.weight,
                "is_base": each.is_base,
                "assigned": each.assigned,
                "settled": each.settled,
                "converted": each.converted,
                "open": each.still_open,
                "converted_so_far": each.converted_so_far,
                "rate": each.rate,
                "rate_interval": asdict(each.within),
                **_challenge(challenges.get(each.variant)),
            }
            for each in read.standings
        ],
        "guardrails": [_held(each) for each in (verdict.guardrails if verdict else ())],
        "history": [
            {
                "at": moment.at,
                "variants": [
                    {"variant": name, **_arm(arm), **asdict(moment.within[name])} for name, arm in moment.arms.items()
                ],
            }
            for moment in read.history
        ],
        "paths": [
            {"variant": variant, "points": [asdict(point) for point in points]}
            for variant, points in read.paths.items()
        ],
    }


def _challenge(challenge: Challenge | None) -> dict[str, Any]:
    if challenge is None:
        names = ("lift", "interval", "p_value", "decided", "pairs", "expected_pairs")
        return dict.fromkeys(names)
    return {
        "lift": challenge.lift,
        "interval": asdict(challenge.interval) if challenge.interval else None,
        "p_value": challenge.p_value,
        "decided": challenge.decided,
        "pairs": challenge.pairs,
        "expected_pairs": challenge.expected_pairs,
    }


def _arm(arm: Arm) -> dict[str, Any]:
    return {"contacts": arm.contacts, "converted": arm.converted, "rate": arm.rate}


def _held(held: Held) -> dict[str, Any]:
    return {
        "name": held.name,
        "limit": held.limit,
        "variant": held.variant,
        "contacts": held.arm.contacts,
        "struck": held.arm.converted,
        "base_contacts": held.base.contacts,
        "base_struck": held.base.converted,
        "worse": asdict(held.worse),
        "broken": held.broken,
    }
