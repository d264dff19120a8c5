"""The edit plan over HTTP: who is under way in older versions, what becomes of them, and back again."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from contacts import transactions
from contacts.problems import BadRequest
from workflows.api.workflows import Conflict, find
from workflows.editing import edit_moves, edit_plan
from workflows.editing.edit_plan import BadDecisions, Decision, NotPossible, Standing, Survey
from workflows.models import EditPlan


class DecisionShape(serializers.Serializer[Any]):
    do = serializers.ChoiceField(edit_plan.DEEDS)
    to = serializers.CharField(required=False)


class StandingShape(serializers.Serializer[Any]):
    """The people at one step of older versions. `change`: what became of that step in the live version. `again`: steps
    that they may have done, and would come to once more if they went on from the same step."""

    step = serializers.CharField()
    name = serializers.CharField()
    type = serializers.CharField()
    sentence = serializers.CharField()
    people = serializers.IntegerField()
    pending = serializers.IntegerField()
    active = serializers.IntegerField()
    waiting = serializers.IntegerField()
    versions = serializers.DictField(child=serializers.IntegerField())
    change = serializers.ChoiceField(["unchanged", "changed", "removed"])
    changes = serializers.ListField(child=serializers.CharField())
    again = serializers.ListField(child=serializers.CharField())
    proposal = DecisionShape()


class PlanShape(serializers.ModelSerializer[EditPlan]):
    id = serializers.UUIDField(source="public_id")
    to_version = serializers.IntegerField(source="to_version.number")

    class Meta:
        model = EditPlan
        fields = [
            "id", "state", "to_version", "decisions", "moved", "exited", "put_back", "made_by", "made_at",
            "finished_at", "undone_at",
        ]  # fmt: skip


class SurveyShape(serializers.Serializer[Any]):
    """`plans`: those made so far, newest first."""

    to_version = serializers.IntegerField()
    people = serializers.IntegerField()
    steps = StandingShape(many=True)
    plans = PlanShape(many=True)


class PlanInput(serializers.Serializer[Any]):
    """`decisions`: for each step what becomes of those who stand there in older versions, `{"do": "stay" | "move" |
    "exit", "to": STEP}` or that word alone; a move without `to` goes to the step of the same name, and a step that is
    not named stays. `to_version`: the one that the decisions were made for, checked where it is given."""

    decisions = serializers.JSONField()
    dry_run = serializers.BooleanField(default=True)
    to_version = serializers.IntegerField(required=False)


class FateShape(serializers.Serializer[Any]):
    step = serializers.CharField()
    do = serializers.ChoiceField(edit_plan.DEEDS)
    to = serializers.CharField(required=False)
    people = serializers.IntegerField()


class AnswerShape(serializers.Serializer[Any]):
    """Without a dry run `plan` is the plan as it stands: `applied` where a few people were concerned, else `applying`,
    and its address tells how far it is. The counts are of the moment before it began."""

    dry_run = serializers.BooleanField()
    to_version = serializers.IntegerField()
    move = serializers.IntegerField()
    exit = serializers.IntegerField()
    stay = serializers.IntegerField()
    steps = FateShape(many=True)
    plan = PlanShape(allow_null=True)


class PlanView(APIView):
    required_scope: ClassVar = {"GET": "workflows:read", "POST": "workflows:publish"}

    @extend_schema(responses=SurveyShape)
    def get(self, request: Request, slug: str) -> Response:
        """Who is under way in versions older than the live one, step by step, and what is proposed. 409 where nothing
        is live."""
        workflow = find(slug)
        survey = _survey(slug)
        plans = EditPlan.objects.filter(workflow=workflow).select_related("to_version").order_by("-pk")[:20]
        return Response(
            {
                "to_version": survey.to_version,
                "people": survey.people,
                "steps": [_standing(each) for each in survey.standings],
                "plans": PlanShape(plans, many=True).data,
            }
        )

    @extend_schema(request=PlanInput, responses={200: AnswerShape, 202: AnswerShape})
    def post(self, request: Request, slug: str) -> Response:
        """Try decisions, or carry them out. A dry run is the default and changes nothing. 202 where it takes longer
        than the answer; 409 where a plan is being carried out already, or another version was published meanwhile."""
        find(slug)
        body = PlanInput(data=request.data)
        body.is_valid(raise_exception=True)
        given = body.validated_data
        survey = _survey(slug)
        if given.get("to_version", survey.to_version) != survey.to_version:
            raise Conflict(f"Version {survey.to_version} is live now: look at the plan again.")
        decisions = read(given["decisions"], survey, slug)
        fates = edit_plan.fates(survey, decisions)
        plan = None if given["dry_run"] else _carry_out(slug, survey, decisions, f"key {request.auth.name}")
        said: dict[str, Any] = {
            "dry_run": given["dry_run"],
            "to_version": survey.to_version,
            **{deed: sum(fate.people for fate in fates if fate.decision.do == deed) for deed in edit_plan.DEEDS},
            "steps": [{"step": fate.step, **fate.decision.as_dict(), "people": fate.people} for fate in fates],
            "plan": PlanShape(plan).data if plan else None,
        }
        return Response(said, status=202 if plan and plan.state in edit_moves.UNDER_WAY else 200)


class PlanDetail(APIView):
    """How far a plan is."""

    required_scope = "workflows:read"

    @extend_schema(operation_id="workflows_plan_detail", responses=PlanShape)
    def get(self, request: Request, slug: str, public_id: UUID) -> Response:
        return Response(PlanShape(_plan(slug, public_id)).data)


class Undo(APIView):
    """Put back, where they stood, those who have not gone on since: `put_back` of `moved`. Who left stays away. 409
    unless the plan was carried out, or where it was undone before."""

    required_scope = "workflows:publish"

    @extend_schema(request=None, responses={200: PlanShape, 202: PlanShape})
    def post(self, request: Request, slug: str, public_id: UUID) -> Response:
        _plan(slug, public_id)
        try:
            plan = transactions.run(lambda now: edit_plan.begin_undoing(slug=slug, public_id=public_id, now=now))
        except NotPossible as error:
            raise Conflict(f"Not done: {error}.") from error
        plan = first_slice(plan)
        return Response(PlanShape(plan).data, status=202 if plan.state in edit_moves.UNDER_WAY else 200)


def read(raw: Any, survey: Survey, slug: str) -> dict[str, Decision]:
    """Raises BadRequest with the place of each fault."""
    try:
        return edit_plan.read_decisions(raw, survey, known=edit_plan.steps_of_older(slug))
    except BadDecisions as error:
        raise BadRequest(
            "The decisions are not valid.", [fault.below("decisions") for fault in error.faults]
        ) from error


def first_slice(plan: EditPlan) -> EditPlan:
    """What fits into an answer is done in it; the bell was rung for the rest."""
    transactions.run(lambda now: edit_moves.carry_on(plan.pk, now=now))
    return EditPlan.objects.select_related("to_version").get(pk=plan.pk)


def _survey(slug: str) -> Survey:
    try:
        return edit_plan.survey(slug)
    except NotPossible as error:
        raise Conflict(f"There is no plan to make: {error}.") from error


def _carry_out(slug: str, survey: Survey, decisions: dict[str, Decision], by: str) -> EditPlan:
    try:
        plan = transactions.run(
            lambda now: edit_plan.begin(slug=slug, to_version=survey.to_version, decisions=decisions, by=by, now=now)
        )
    except NotPossible as error:
        raise Conflict(f"Not done: {error}.") from error
    return first_slice(plan)


def _plan(slug: str, public_id: UUID) -> EditPlan:
    plan = EditPlan.objects.filter(workflow=find(slug), public_id=public_id).select_related("to_version").first()
    if plan is None:
        raise exceptions.NotFound("There is no such plan of this workflow.")
    return plan


def _standing(standing: Standing) -> dict[str, Any]:
    return {
        "step": standing.step,
        "name": standing.name,
        "type": standing.type,
        "sentence": standing.sentence,
        "people": standing.people,
        "pending": standing.pending,
        "active": standing.active,
        "waiting": standing.waiting,
        "versions": {str(number): people for number, people in standing.versions.items()},
        "change": standing.state,
        "changes": list(standing.changes),
        "again": list(standing.again),
        "proposal": standing.proposal.as_dict(),
    }
