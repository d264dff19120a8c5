"""Rulesets: a new version becomes active at once for every question; who crosses because of it is found in batches."""

from __future__ import annotations

from datetime import datetime

from django.db import connection, transaction
from django.db.models import Max

from contacts import doorbell
from scoring.checks import BELL
from scoring.models import Ruleset, ScoringRule
from scoring.rules import LEAD, check_threshold, parse_rules

BEFORE_EVERYBODY = 0  # smaller than every contact's id


def activate(*, rules: object, now: datetime, name: str = LEAD, mql_threshold: object = 60) -> int:
    """Make these rules the active version of the score `name`; returns the ruleset's id. `rules` is a list of
    {name, signal, points, decay?, cap?}. Raises BadRules.

    Every score follows them from the commit on. Contacts that cross the threshold because of them are told of it
    (policy "emit") by `recheck.ask_batch`, which the sweeper calls until everybody was looked at."""
    threshold = check_threshold(mql_threshold)
    parsed = parse_rules(rules)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"scoring.activate:{name}"])
        versions = Ruleset.objects.filter(name=name)
        versions.filter(state="active").update(state="retired", recheck_after=None)
        ruleset = Ruleset.objects.create(
            name=name,
            version=(versions.aggregate(last=Max("version"))["last"] or 0) + 1,
            state="active",
            mql_threshold=threshold,
            created_at=now,
            activated_at=now,
            recheck_after=BEFORE_EVERYBODY,
        )
        ScoringRule.objects.bulk_create(
            ScoringRule(
                ruleset=ruleset,
                name=rule.name,
                signal=rule.signal,
                points=rule.points,
                decay=rule.fading,
                cap=rule.cap,
            )
            for rule in parsed
        )
        doorbell.ring_on_commit(BELL, "bulk")
    return ruleset.pk
