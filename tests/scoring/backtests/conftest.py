"""Drafts, and the lane that tries them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import transaction

from scoring.backtests import asking, running
from scoring.models import Backtest, BacktestContact
from scoring.rulesets import versions

BOUGHT = {"event": "bought"}


@pytest.fixture
def drafted(now: datetime) -> Callable[..., int]:
    """Writes a draft; returns its id."""

    def draft(*rules: dict, **settings: object) -> int:
        return versions.write_draft({"rules": list(rules), **settings}, now=now)

    return draft


@pytest.fixture
def tried(now: datetime) -> Callable[..., Backtest]:
    """Tries a version on the last 30 days, or what else is said, to the end."""

    def try_it(ruleset_id: int, *, limit: int = running.PAGE, **said: Any) -> Backtest:
        said = {"since": now - timedelta(days=30), "until": now, "conversion": BOUGHT, **said}
        with transaction.atomic():
            backtest_id = asking.ask(ruleset_id=ruleset_id, now=now, **said)
        work(now=now, limit=limit)
        return Backtest.objects.get(pk=backtest_id)

    return try_it


def work(*, now: datetime, limit: int = running.PAGE) -> int:
    """What the bulk lane does; returns in how many batches."""
    batches = 0
    while True:
        with transaction.atomic():
            if not running.work_batch(now=now, limit=limit):
                return batches
        batches += 1


def rows(backtest: Backtest) -> dict[int, BacktestContact]:
    return {row.contact_id: row for row in BacktestContact.objects.filter(backtest=backtest)}
