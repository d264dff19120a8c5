"""Asking for a back-test, and calling it off. The row is the work: the bulk lane takes it up (see `running`)."""

from __future__ import annotations

from datetime import datetime, timedelta

from contacts import doorbell
from contacts.conditions import Problem
from scoring.backtests.conversions import parse_conversion
from scoring.backtests.judges import freeze
from scoring.models import Backtest, Ruleset
from scoring.rulesets.parsing import check_threshold
from scoring.rulesets.rules import BadRules

BELL = "scoring.backtest"
LANE = "bulk"
OPEN = ("queued", "running")
LONGEST = timedelta(days=1100)


class NotOpen(LookupError):
    """There is no such back-test, or it is over."""


def ask(
    *,
    ruleset_id: int,
    since: datetime,
    until: datetime,
    conversion: object,
    now: datetime,
    threshold: object = None,
    by: str = "",
) -> int:
    """Try a version of the rules on what is recorded between two instants (both included); returns the back-test's id.
    It is compared with the version of the same score that is active now. `conversion`: see
    `conversions.parse_conversion`. `threshold` None: the version's own. Raises BadRules with every mistake."""
    problems: list[Problem] = []
    ruleset = Ruleset.objects.filter(pk=ruleset_id).first()
    if ruleset is None:
        problems.append(Problem("ruleset", "unknown", "there is no such version"))
    if since >= until:
        problems.append(Problem("until", "wrong_value", "must be later than since"))
    elif until - since > LONGEST:
        problems.append(Problem("since", "wrong_value", f"must be at most {LONGEST.days} days before until"))
    if until > now:
        problems.append(Problem("until", "wrong_value", "must not lie in the future"))
    limit = 0.0
    try:
        if threshold is not None:
            limit = check_threshold(threshold, path="threshold")
    except BadRules as error:
        problems.extend(error.problems)
    try:
        parse_conversion(conversion)
    except BadRules as error:
        problems.extend(error.problems)
    if problems or ruleset is None:
        raise BadRules(problems)
    active = Ruleset.objects.filter(name=ruleset.name, state="active").exclude(pk=ruleset.pk).first()
    backtest = Backtest.objects.create(
        ruleset=ruleset,
        against=active,
        judges={"tried": freeze(ruleset), "active": freeze(active) if active else None},
        since=since,
        until=until,
        conversion=conversion,
        threshold=limit or ruleset.mql_threshold,
        created_at=now,
        created_by=by,
    )
    doorbell.ring_on_commit(BELL, LANE)
    return backtest.pk


def cancel(backtest_id: int, *, now: datetime) -> None:
    """Stops after the page of contacts that is being looked at. Raises NotOpen."""
    if not Backtest.objects.filter(pk=backtest_id, state__in=OPEN).update(state="cancelled", finished_at=now):
        raise NotOpen(f"no open back-test {backtest_id}")


def go_on(backtest_id: int) -> None:
    """One that failed, from where it had come. Raises NotOpen."""
    if not Backtest.objects.filter(pk=backtest_id, state="failed").update(state="queued", problem="", finished_at=None):
        raise NotOpen(f"no failed back-test {backtest_id}")
    doorbell.ring_on_commit(BELL, LANE)
