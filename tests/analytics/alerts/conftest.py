"""Sources of alerts that say what a test wants them to say."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from analytics.health import alerts, alerts_looking
from analytics.health.alerts import WARNING, Finding, Source
from analytics.models import Alert, AlertCall
from contacts import transactions
from delivery.models import StaffNotice

START = datetime(2026, 3, 4, 12, 0).astimezone()


def finding(key: str = "a", severity: str = WARNING, *, title: str = "Something is late", where: str = "") -> Finding:
    return Finding(key, severity, title, "12 wait.", where)


def source(name: str = "test", **given) -> Source:
    given = {"opens_after": timedelta(seconds=60), "closes_after": timedelta(seconds=120)} | given
    return Source(name, given.pop("look", lambda now: []), **given)


@pytest.fixture
def only(monkeypatch) -> Callable[..., None]:
    """`only(source, …)`: nobody else is registered."""

    def register(*sources: Source) -> None:
        monkeypatch.setattr(alerts, "_sources", {each.name: each for each in sources})

    return register


@pytest.fixture
def look(settings) -> Callable[..., None]:
    """`look(seconds, finding, …)`: what the source said so long after START is settled."""
    settings.ALERT_EMAIL = ["ops@example.com"]
    settings.ALERT_WEBHOOK_URL = "https://hooks.example.com/carillon"

    def settle(seconds: float, *found: Finding, by: Source | None = None) -> None:
        at = START + timedelta(seconds=seconds)
        transactions.run(lambda now: alerts_looking.settle(by or source(), found, at=at))

    return settle


def mails() -> list[str]:
    return list(StaffNotice.objects.order_by("id").values_list("subject", flat=True))


def calls() -> list[str]:
    import json

    return [json.loads(body)["type"] for body in AlertCall.objects.order_by("id").values_list("body", flat=True)]


def the_alert() -> Alert:
    return Alert.objects.get()
