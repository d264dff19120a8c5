"""The domains that mail is sent from, over HTTP: what the world says of them, their warm-up and their brake."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from contacts import clock
from delivery import figures, tallies
from delivery.models import SendingDomain
from delivery.preflight import verdicts
from delivery.preflight.verdicts import Check
from delivery.rates import progress

DAYS = 14
MOST = 500


class CheckSerializer(serializers.Serializer[Check]):
    name = serializers.CharField()
    verdict = serializers.ChoiceField(choices=["good", "warn", "bad", "unknown"])
    said = serializers.CharField()
    fix = serializers.CharField()
    found = serializers.CharField()


class WarmUpSerializer(serializers.Serializer[Any]):
    day = serializers.IntegerField(help_text="from 1; 0: it has not begun")
    days = serializers.IntegerField()
    allowed = serializers.IntegerField(help_text="marketing messages today")
    claimed = serializers.IntegerField(help_text="of them, so far")
    held = serializers.CharField(help_text="why it did not go on today")
    held_by = serializers.CharField()


class DomainBrakeSerializer(serializers.Serializer[Any]):
    since = serializers.DateTimeField()
    reason = serializers.CharField()
    rate = serializers.FloatField()
    limit = serializers.FloatField()
    sample = serializers.IntegerField()


class RatesSerializer(serializers.Serializer[Any]):
    sent = serializers.IntegerField()
    delivered = serializers.IntegerField()
    bounce_rate = serializers.FloatField()
    complaint_rate = serializers.FloatField()


class SendingDomainSerializer(serializers.Serializer[Any]):
    domain = serializers.CharField()
    used_for = serializers.ListField(child=serializers.CharField())
    verdict = serializers.ChoiceField(choices=["good", "warn", "bad", "unknown"])
    checks = CheckSerializer(many=True)
    checked_at = serializers.DateTimeField(allow_null=True)
    warm_up = WarmUpSerializer(allow_null=True)
    brake = DomainBrakeSerializer(allow_null=True)
    last_14_days = RatesSerializer()


class SendingDomainListSerializer(serializers.Serializer[Any]):
    results = SendingDomainSerializer(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


class SendingDomains(APIView):
    """The domains that mail is sent from: pre-flight checks, warm-up, brake, and the rates of the last 14 days."""

    required_scope = "delivery:read"

    @extend_schema(responses=SendingDomainListSerializer)
    def get(self, request: Request) -> Response:
        answer = {"results": _all(clock.now()), "next": None, "previous": None}
        return Response(SendingDomainListSerializer(answer).data)


def _all(now: datetime) -> list[dict[str, Any]]:
    """A constant number of statements."""
    rows = list(SendingDomain.objects.order_by("domain")[:MOST])
    since = tallies.day_of(now) - timedelta(days=DAYS - 1)
    counts = figures.of_domains([row.domain for row in rows], since=since)
    used = tallies.sending_domains()
    found = []
    for row, at in zip(rows, progress.of(rows, now=now), strict=True):
        checks = verdicts.stored(row.checks)
        found.append(
            {
                "domain": row.domain,
                "used_for": [name for name, domain in used.items() if domain == row.domain],
                "verdict": verdicts.worst(checks),
                "checks": checks,
                "checked_at": row.checked_at,
                "warm_up": at if at.is_going else None,
                "brake": _brake(row),
                "last_14_days": counts[row.domain],
            }
        )
    return found


def _brake(row: SendingDomain) -> dict[str, Any] | None:
    if row.braked_at is None:
        return None
    why = row.braked_why if isinstance(row.braked_why, dict) else {}
    known = {"reason": "", "rate": 0.0, "limit": 0.0, "sample": 0} | why
    return {"since": row.braked_at, **{name: known[name] for name in ("reason", "rate", "limit", "sample")}}
