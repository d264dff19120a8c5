"""Experiments over HTTP: what each asks, how it stands, and what was decided."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import exceptions, serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from analytics.experiments import asking, register, rolling_out
from analytics.experiments.asking import BadExperiment, IsOver
from analytics.experiments.rolling_out import CannotRollOut, Plan
from analytics.models import Experiment
from contacts import transactions
from contacts.faults import Fault
from contacts.paging import NewestFirst
from contacts.problems import BadRequest
from workflows.api.versions import ChangeShape
from workflows.api.workflows import Conflict, ProblemShape
from workflows.publishing import CannotPublish, UnableToChange

OVER = "The experiment was decided already."


class ExperimentShape(serializers.ModelSerializer[Experiment]):
    """`decision`: the variant that won, empty if none did or nothing is decided. `looked_at`: when outcomes were first
    shown; what it asks is fixed from then on. `rolled_out_in`: the version by which everybody gets the winner."""

    class Meta:
        model = Experiment
        fields = [
            "slug", "title", "hypothesis", "goal", "window", "base", "method", "alpha", "power", "effect", "rate",
            "guardrails", "state", "decision", "reason", "created_at", "looked_at", "decided_at", "decided_by",
            "rolled_out_in",
        ]  # fmt: skip


class ExperimentChange(serializers.Serializer[Any]):
    """What `PATCH` takes, for the schema: it is read by `asking.change`."""

    title = serializers.CharField(required=False)
    hypothesis = serializers.CharField(required=False)
    goal = serializers.JSONField(required=False)
    window = serializers.CharField(required=False)
    base = serializers.CharField(required=False)
    method = serializers.ChoiceField(asking.METHODS, required=False)
    alpha = serializers.FloatField(required=False)
    power = serializers.FloatField(required=False)
    effect = serializers.FloatField(required=False)
    rate = serializers.FloatField(required=False, allow_null=True)
    guardrails = serializers.ListField(child=serializers.DictField(), required=False)


class ExperimentList(ListAPIView[Experiment]):
    """Every experiment that a published version has, newest first; `?state=` narrows."""

    required_scope: ClassVar = "workflows:read"
    queryset = Experiment.objects.all()
    serializer_class = ExperimentShape
    pagination_class = NewestFirst
    filterset_fields: ClassVar = ["state"]

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        transactions.run(lambda now: register.make_missing(now=now), aside=True)
        return super().get(request, *args, **kwargs)


class ExperimentDetail(APIView):
    required_scope: ClassVar = {"GET": "workflows:read", "PATCH": "workflows:write"}

    @extend_schema(responses=ExperimentShape)
    def get(self, request: Request, slug: str) -> Response:
        return Response(ExperimentShape(find(slug)).data)

    @extend_schema(request=ExperimentChange, responses=ExperimentShape)
    def patch(self, request: Request, slug: str) -> Response:
        """Change what the experiment asks; what is not given stays. A new goal, window or guardrail is asked of
        everybody. Once outcomes have been shown to anybody, only the title changes; 409 when it is decided."""
        if not isinstance(request.data, dict):
            raise BadRequest("The body must be an object.")
        experiment = find(slug)
        try:
            transactions.run(lambda now: asking.change(experiment, request.data, now=now))
        except BadExperiment as error:
            raise refused(error) from error
        except IsOver as error:
            raise Conflict(OVER) from error
        return Response(ExperimentShape(find(slug)).data)


class ExperimentDecisionShape(serializers.Serializer[Any]):
    variant = serializers.CharField(required=False, allow_blank=True)
    reason = serializers.CharField()


class ExperimentDecision(APIView):
    required_scope = "workflows:write"

    @extend_schema(request=ExperimentDecisionShape, responses=ExperimentShape)
    def post(self, request: Request, slug: str) -> Response:
        """End the experiment: `variant` won, or none did. Nobody's way changes by this: roll the winner out, or publish
        a version. 409 when it is decided already."""
        experiment, given = find(slug), _object(request)
        variant, reason, by = _text(given, "variant"), _text(given, "reason"), _by(request)
        try:
            transactions.run(lambda now: asking.decide(experiment, variant=variant, reason=reason, now=now, by=by))
        except BadExperiment as error:
            raise refused(error, "The decision is not valid.") from error
        except IsOver as error:
            raise Conflict(OVER) from error
        return Response(ExperimentShape(find(slug)).data)


class RollOutShape(serializers.Serializer[Any]):
    """`after_version`: the live version that was looked at, as the preview gives it."""

    variant = serializers.CharField()
    reason = serializers.CharField()
    after_version = serializers.IntegerField()


class RollOutPlanShape(serializers.Serializer[Any]):
    variant = serializers.CharField()
    after_version = serializers.IntegerField()
    is_possible = serializers.BooleanField()
    changes = ChangeShape(many=True)
    problems = ProblemShape(many=True)


class ExperimentRollOut(APIView):
    """The winner for everybody: the journey's next version takes its way in place of the experiment."""

    required_scope: ClassVar = {"GET": "workflows:read", "POST": "workflows:publish"}

    @extend_schema(responses=RollOutPlanShape, parameters=[OpenApiParameter("variant", required=True)])
    def get(self, request: Request, slug: str) -> Response:
        """What would change. 409 where the journey is not in a state for it."""
        found = _plan(find(slug), request.query_params.get("variant", ""))
        return Response(
            {
                "variant": found.variant,
                "after_version": found.after_version,
                "is_possible": found.is_possible,
                "changes": [each.as_dict() for each in found.changes],
                "problems": [each.as_dict() for each in found.problems],
            }
        )

    @extend_schema(request=RollOutShape, responses=ExperimentShape)
    def post(self, request: Request, slug: str) -> Response:
        """Publish that version and record the decision. Who is under way stays on their version until an edit plan
        moves them. 409 where the journey is not in a state for it, or another version was published meanwhile."""
        experiment, given = find(slug), _object(request)
        variant, reason, by = _text(given, "variant"), _text(given, "reason"), _by(request)
        after = given.get("after_version")
        if not isinstance(after, int) or isinstance(after, bool):
            fault = Fault("wrong_type", "expected the number of the live version", ("after_version",))
            raise BadRequest(faults=[fault])
        _known(experiment, variant)
        try:
            transactions.run(
                lambda now: rolling_out.roll_out(
                    experiment, variant=variant, after_version=after, reason=reason, by=by, now=now
                )
            )
        except BadExperiment as error:
            raise refused(error, "The decision is not valid.") from error
        except IsOver as error:
            raise Conflict(OVER) from error
        except CannotRollOut as error:
            raise Conflict(str(error)) from error
        except (CannotPublish, UnableToChange) as error:
            raise Conflict(f"The version cannot be published: {error}.") from error
        return Response(ExperimentShape(find(slug)).data)


def find(slug: str) -> Experiment:
    """Raises NotFound. One that was published a moment ago is there."""
    found = Experiment.objects.filter(slug=slug).first()
    if found is None:
        transactions.run(lambda now: register.make_missing(now=now), aside=True)
        found = Experiment.objects.filter(slug=slug).first()
    if found is None:
        raise exceptions.NotFound("There is no such experiment.")
    return found


def refused(error: BadExperiment, said: str = "The experiment is not valid.") -> BadRequest:
    faults = [Fault(problem.code, problem.message, _loc(problem.path)) for problem in error.problems]
    return BadRequest(said, faults)


def _plan(experiment: Experiment, variant: str) -> Plan:
    _known(experiment, variant)
    try:
        return rolling_out.plan(experiment, variant)
    except CannotRollOut as error:
        raise Conflict(str(error)) from error


def _known(experiment: Experiment, variant: str) -> None:
    if variant not in register.variants(experiment).weights:
        fault = Fault("unknown", "is no variant of this experiment", ("variant",))
        raise BadRequest("The decision is not valid.", [fault])


def _object(request: Request) -> dict[str, Any]:
    return request.data if isinstance(request.data, dict) else {}


def _text(given: dict[str, Any], name: str) -> str:
    value = given.get(name)
    if value is not None and not isinstance(value, str):
        raise BadRequest(faults=[Fault("wrong_type", "expected a text", (name,))])
    return value or ""


def _by(request: Request) -> str:
    return f"key {request.auth.name}"


def _loc(path: str) -> tuple[str | int, ...]:
    """`guardrails[2].limit` -> guardrails, 2, limit."""
    return tuple(int(part) if part.isdigit() else part for part in path.replace("]", "").replace("[", ".").split("."))
