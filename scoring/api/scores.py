"""A contact's score: taken apart, and how it moved."""

from __future__ import annotations

import re
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
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
from scoring.crossings import outlook
from scoring.projection import explanation, history
from scoring.rulesets import reading, wording
from scoring.rulesets.rules import LEAD, Ruleset

# No event lies outside, and windows can be counted back from the first of them.
FIRST, LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
_ID = re.compile(r"[0-9]{1,18}", re.ASCII)  # a bigint has 19 digits
LOOKED_BACK = timedelta(days=90)  # of a history that does not say since when

NAME = OpenApiParameter("name", str, description="Another score than `lead`.")
RULESET = OpenApiParameter("ruleset", int, description="The id of a version, draft or not, instead of the active one.")


class AdjustmentShape(serializers.Serializer[Any]):
    """What a cap or a weight makes of the sum of some rules: it adds `points`."""

    kind = serializers.ChoiceField(choices=["group_cap", "part_cap", "weight", "total_cap"])
    name = serializers.CharField()
    part = serializers.CharField()
    bound = serializers.FloatField()
    points = serializers.FloatField()
    text = serializers.CharField()


class OutlookShape(serializers.Serializer[Any]):
    """The next crossing if nothing more happens. Not `certain`: not before `at`, and perhaps never."""

    threshold = serializers.FloatField()
    direction = serializers.SerializerMethodField()
    at = serializers.DateTimeField()
    certain = serializers.BooleanField(source="is_certain")

    def get_direction(self, found: outlook.Outlook) -> str:
        return "up" if found.rising else "down"


class ScoreShape(serializers.Serializer[Any]):
    """`rules`: what each of them gives, `points` being what counts; with the `points` of `adjustments` their sum is the
    score. `outlook` is null where no crossing lies ahead, and of other instants than now or rules than the active ones.
    """

    score = serializers.FloatField()
    at = serializers.DateTimeField()
    ruleset = serializers.CharField()
    rules = serializers.ListField(child=serializers.DictField())
    adjustments = AdjustmentShape(many=True)
    threshold = serializers.FloatField(allow_null=True)
    outlook = OutlookShape(allow_null=True)


class Score(APIView):
    required_scope = "contacts:read"

    @extend_schema(responses=ScoreShape, parameters=[OpenApiParameter("at", datetime), NAME, RULESET])
    def get(self, request: Request, public_id: UUID) -> Response:
        """The score now, or at the instant `?at=`, rule by rule and event by event (the newest 50 of each rule)."""
        contact = find(public_id)
        name, ruleset = asked_score(request)
        at, now = asked_instant(request, "at"), clock.now()
        explained = explanation.explain(contact.pk, at or now, name, ruleset)
        ahead = outlook.next_crossing(contact.pk, now=now, name=name) if at is None and ruleset is None else None
        return Response(
            {
                "score": explained.score,
                "at": explained.at,
                "ruleset": explained.ruleset,
                "rules": [{**asdict(share), "sentence": wording.sentence(share.signal)} for share in explained.rules],
                "adjustments": [asdict(each) for each in explained.adjustments],
                "threshold": explained.mql_threshold,
                "outlook": None if ahead is None else OutlookShape(ahead).data,
            }
        )


class PointShape(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    score = serializers.FloatField()


class ScoreHistoryShape(serializers.Serializer[Any]):
    """`points` by time; what lies ahead of now is what comes if nothing more happens."""

    ruleset = serializers.CharField()
    threshold = serializers.FloatField(allow_null=True)
    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    points = PointShape(many=True)


class ScoreHistory(APIView):
    required_scope = "contacts:read"

    @extend_schema(
        responses=ScoreHistoryShape,
        parameters=[OpenApiParameter("since", datetime), OpenApiParameter("until", datetime), NAME, RULESET],
    )
    def get(self, request: Request, public_id: UUID) -> Response:
        """How the score moved between two instants (by default the last 90 days), under the rules of today: at equal
        distances, and where it jumped."""
        contact = find(public_id)
        name, ruleset = asked_score(request)
        ruleset = ruleset or reading.active_ruleset(name)
        until = asked_instant(request, "until") or clock.now()
        since = asked_instant(request, "since") or max(FIRST, until - LOOKED_BACK)
        if since >= until:
            raise BadRequest("There is no time between.", [Fault("out_of_range", "must be before until", ("since",))])
        found = () if ruleset is None else history.curve(contact.pk, since=since, until=until, ruleset=ruleset)
        return Response(
            {
                "ruleset": "" if ruleset is None else ruleset.label,
                "threshold": None if ruleset is None else ruleset.mql_threshold,
                "since": since,
                "until": until,
                "points": [{"at": at, "score": score} for at, score in found],
            }
        )


def asked_score(request: Request) -> tuple[str, Ruleset | None]:
    """Which score, and under which rules (None: the active ones)."""
    name = request.query_params.get("name", LEAD)
    if name != LEAD and name not in reading.names():
        raise BadRequest("There is no such score.", [Fault("unknown", "there is no score of this name", ("name",))])
    if "ruleset" not in request.query_params:
        return name, None
    try:
        ruleset = reading.version(_id(request.query_params["ruleset"]))
    except LookupError as error:
        fault = Fault("unknown", "there is no version with this id", ("ruleset",))
        raise BadRequest("There are no such rules.", [fault]) from error
    if "name" in request.query_params and ruleset.name != name:
        fault = Fault("unknown", f"is a version of the score {ruleset.name}", ("ruleset",))
        raise BadRequest("There are no such rules.", [fault])
    return ruleset.name, ruleset


def _id(text: str) -> int:
    """Raises LookupError for what is no id."""
    if not _ID.fullmatch(text):
        raise LookupError(text)
    return int(text)


def asked_instant(request: Request, name: str) -> datetime | None:
    if name not in request.query_params:
        return None
    text = request.query_params[name]
    # the + of a zone that was not escaped arrives as a space
    instant = parse_instant(text[:11] + text[11:].replace(" ", "+"))
    if isinstance(instant, datetime) and not FIRST <= instant <= LAST:
        instant = Fault("out_of_range", f"must lie between the years {FIRST.year} and {LAST.year}")
    if isinstance(instant, Fault):
        raise BadRequest("The instant cannot be read.", [instant.below(name)])
    return instant
