"""Drafts tried on recorded history: asked for, watched, called off, and what came of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import exceptions, serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from contacts import transactions
from contacts.collect.parsing import parse_instant
from contacts.faults import Fault
from contacts.paging import NewestFirst
from contacts.problems import BadRequest
from scoring.api.shapes import Conflict, author, refused
from scoring.backtests import asking
from scoring.models import Backtest
from scoring.rulesets.rules import BadRules

LARGEST_ID = 10**18  # ids are bigints: a longer one is nobody's
INVALID = "The back-test is not valid."
KEYS = {"ruleset", "since", "until", "conversion", "threshold"}


class ProgressShape(serializers.Serializer[Any]):
    contacts_done = serializers.IntegerField()
    contacts_total = serializers.IntegerField()
    contacts_looked_at = serializers.IntegerField()
    contacts_cut = serializers.IntegerField()


class BacktestShape(serializers.ModelSerializer[Backtest]):
    """`state`: queued, running, finished, failed (see `problem`), cancelled. `progress` counts contacts: gone through,
    of how many, how many of them did something in the window, and how many did too much to be looked at after every
    event. `result` is there once it is finished."""

    progress = ProgressShape(source="*")

    class Meta:
        model = Backtest
        fields = [
            "id", "ruleset", "against", "since", "until", "conversion", "threshold", "state", "problem", "progress",
            "created_at", "created_by", "finished_at", "result",
        ]  # fmt: skip


class BacktestInput(serializers.Serializer[Any]):
    """`conversion` is {"event": TYPE, "where"?: CONDITION} or {"stage": STAGE}; without a `threshold`, the version's
    own counts."""

    ruleset = serializers.IntegerField()
    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    conversion = serializers.JSONField()
    threshold = serializers.FloatField(required=False)


class BacktestList(ListAPIView[Backtest]):
    """Newest first; `?ruleset=` and `?state=` narrow."""

    required_scope: ClassVar = {"GET": "contacts:read", "POST": "admin"}
    queryset = Backtest.objects.all()
    serializer_class = BacktestShape
    pagination_class = NewestFirst
    filterset_fields: ClassVar = ["ruleset", "state"]

    @extend_schema(request=BacktestInput, responses={202: BacktestShape})
    def post(self, request: Request) -> Response:
        """Try a version of the rules on what is recorded between two instants, both included. 202: the bulk lane works
        it off; see `/scoring/backtests/{id}`."""
        given = _read(request.data)
        try:
            pk = transactions.run(lambda now: asking.ask(**given, now=now, by=author(request)))
        except BadRules as error:
            raise refused(error, INVALID) from error
        return Response(BacktestShape(find(pk)).data, status=202)


class BacktestDetail(APIView):
    required_scope = "contacts:read"

    @extend_schema(responses=BacktestShape)
    def get(self, request: Request, pk: str) -> Response:
        """How far it is, and what came of it."""
        return Response(BacktestShape(find(pk)).data)


class Cancel(APIView):
    required_scope = "admin"

    @extend_schema(request=None, responses=BacktestShape)
    def post(self, request: Request, pk: str) -> Response:
        """It stops after the contacts that are being looked at. 409 for one that is over."""
        backtest = find(pk)
        try:
            transactions.run(lambda now: asking.cancel(backtest.pk, now=now))
        except asking.NotOpen as error:
            raise Conflict("This back-test is over.") from error
        return Response(BacktestShape(find(pk)).data)


def find(pk: int | str) -> Backtest:
    number = int(pk)
    found = Backtest.objects.filter(pk=number).first() if number < LARGEST_ID else None
    if found is None:
        raise exceptions.NotFound("There is no such back-test.")
    return found


def _read(raw: object) -> dict[str, Any]:
    """The arguments of `asking.ask`; what they mean is judged there."""
    if not isinstance(raw, dict):
        raise BadRequest("The body must be an object with ruleset, since, until and conversion.")
    faults = [Fault("unknown_key", "unknown key", (name,)) for name in sorted(raw.keys() - KEYS)]
    ruleset = raw.get("ruleset")
    if isinstance(ruleset, bool) or not isinstance(ruleset, int) or not 0 <= ruleset < LARGEST_ID:
        faults.append(Fault("type", "must be the id of a version", ("ruleset",)))
    instants: dict[str, datetime] = {}
    for name in ("since", "until"):
        instant = parse_instant(raw.get(name))
        if isinstance(instant, Fault):
            faults.append(instant.below(name))
        else:
            instants[name] = instant
    if faults:
        raise BadRequest(INVALID, faults)
    threshold, conversion = raw.get("threshold"), raw.get("conversion")
    return {"ruleset_id": ruleset, **instants, "threshold": threshold, "conversion": conversion}
