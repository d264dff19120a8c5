"""What became of everybody in an experiment: a row for each assignment, settled once its window is over. Derived from
assignments, events, stages and the journal; `rebuild` makes all of it anew.

A contact is settled when the window is over and not before, converted or not: if early conversions counted at once,
those who need longer would always be missing, and the order in which pairs are made would change afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection

from analytics.experiments import happenings, register
from analytics.models import Experiment, ExperimentOutcome
from contacts import doorbell
from contacts.conditions import Sql
from contacts.conditions.fragment import fill

BELL = "analytics.outcomes"
LANE = "housekeeping"
BATCH = 10_000
MOST_OPEN = 50_000
# A transaction may commit later than one that began after it; none lives nearly as long as this.
OVERLAP = timedelta(minutes=2)
# What happened within the window may be reported a little later; webhooks take their time at any speed.
GRACE = timedelta(minutes=5)
SHORTEST_GRACE = timedelta(seconds=10)


def grace() -> timedelta:
    """How long after the end of a window contacts are settled."""
    return max(SHORTEST_GRACE, GRACE / settings.TIME_SPEED)


def work(*, now: datetime) -> bool:
    """One batch, inside the caller's transaction: take in new assignments, or settle whose window is over. Returns
    whether there was anything to do."""
    assert connection.in_atomic_block, "outcomes are made in the caller's transaction"
    register.make_missing(now=now)
    for experiment in Experiment.objects.filter(goal__isnull=False).order_by("pk").select_for_update(skip_locked=True):
        if _take_in(experiment) or _settle(experiment, now=now):
            return True
    return False


def ring_if_waiting(*, now: datetime) -> None:
    """For the sweep: new assignments, or a window that is over."""
    given: list[Any] = [now - grace(), OVERLAP]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            -- every name once, jumping along the index: there are many assignments and few experiments
            WITH RECURSIVE names (slug) AS (
                (SELECT a.experiment FROM experiment_assignments a ORDER BY a.experiment LIMIT 1)
                UNION ALL
                SELECT (SELECT a.experiment FROM experiment_assignments a WHERE a.experiment > names.slug
                         ORDER BY a.experiment LIMIT 1)
                  FROM names WHERE names.slug IS NOT NULL)
            SELECT EXISTS (SELECT FROM experiments e WHERE e.goal IS NOT NULL AND (
                       EXISTS (SELECT FROM experiment_outcomes o
                                WHERE o.experiment_id = e.id AND NOT o.settled AND o.matures_at <= %s)
                    OR EXISTS (SELECT FROM experiment_assignments a WHERE a.experiment = e.slug
                                  AND a.assigned_at >= COALESCE(e.followed_until - %s, '-infinity')
                                  AND NOT EXISTS (SELECT FROM experiment_outcomes o WHERE o.experiment_id = e.id
                                                     AND o.contact_id = a.contact_id))))
                OR EXISTS (SELECT FROM names WHERE names.slug IS NOT NULL
                              AND NOT EXISTS (SELECT FROM experiments e WHERE e.slug = names.slug))
            """,
            given,
        )
        if cursor.fetchone()[0]:
            doorbell.ring(BELL, LANE)


def converted_so_far(experiment: Experiment, *, now: datetime) -> Mapping[str, int] | None:
    """By variant, how many of those whose window is open have converted already. None: more than MOST_OPEN are open,
    which takes too long for a page. Two statements."""
    if not experiment.goal:
        return {}
    still_open = ExperimentOutcome.objects.filter(experiment=experiment, settled=False)
    if still_open[MOST_OPEN : MOST_OPEN + 1].exists():
        return None
    statement = fill(
        "SELECT o.variant, count({converted}) FROM experiment_outcomes o LEFT JOIN contacts c ON c.id = o.contact_id"
        " WHERE o.experiment_id = {id} AND NOT o.settled GROUP BY 1",
        converted=happenings.first_conversion(experiment.goal, experiment.slug, now=now),
        id=Sql("%s", [experiment.pk]),
    )
    with connection.cursor() as cursor:
        cursor.execute(statement.text, statement.params)
        return dict(cursor.fetchall())


def rebuild(experiment: Experiment) -> None:
    """Forget all outcomes; the next batches make them anew. After a change of the goal or the window."""
    ExperimentOutcome.objects.filter(experiment=experiment).delete()
    Experiment.objects.filter(pk=experiment.pk).update(followed_until=None)


def _take_in(experiment: Experiment) -> bool:
    """Rows for assignments that have none. One statement."""
    since = experiment.followed_until
    given: dict[str, Any] = {
        "id": experiment.pk,
        "slug": experiment.slug,
        "since": "-infinity" if since is None else since - OVERLAP,
        "span": register.span(experiment),
        "limit": BATCH,
    }
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH taken AS (
                SELECT a.contact_id, a.variant, a.version_id, a.assigned_at FROM experiment_assignments a
                 WHERE a.experiment = %(slug)s AND a.assigned_at >= %(since)s::timestamptz
                   AND NOT EXISTS (SELECT FROM experiment_outcomes o
                                    WHERE o.experiment_id = %(id)s AND o.contact_id = a.contact_id)
                 ORDER BY a.assigned_at, a.id LIMIT %(limit)s),
            made AS (
                INSERT INTO experiment_outcomes
                       (experiment_id, contact_id, variant, version_id, assigned_at, matures_at)
                SELECT %(id)s, contact_id, variant, version_id, assigned_at, assigned_at + %(span)s::interval FROM taken
                 ORDER BY assigned_at
                ON CONFLICT DO NOTHING)
            UPDATE experiments SET followed_until = GREATEST(followed_until, (SELECT max(assigned_at) FROM taken))
             WHERE id = %(id)s AND EXISTS (SELECT FROM taken)
            """,
            given,
        )
        return cursor.rowcount > 0


def _settle(experiment: Experiment, *, now: datetime) -> bool:
    """Look once at everybody whose window is over. One statement."""
    statement = fill(
        """
        WITH due AS (
            SELECT id, contact_id, assigned_at, matures_at FROM experiment_outcomes
             WHERE experiment_id = {id} AND NOT settled AND matures_at <= {now}
             ORDER BY matures_at, id LIMIT {limit} FOR UPDATE SKIP LOCKED),
        found AS (SELECT o.id, {converted} AS converted_at, {harmed} AS harmed
                    FROM due o LEFT JOIN contacts c ON c.id = o.contact_id)
        UPDATE experiment_outcomes o
           SET settled = true, converted_at = found.converted_at, harmed = found.harmed
          FROM found WHERE found.id = o.id
        """,
        id=Sql("%s", [experiment.pk]),
        now=Sql("%s::timestamptz", [now - grace()]),
        limit=Sql("%s", [BATCH]),
        converted=happenings.first_conversion(experiment.goal or {}, experiment.slug, now=now),
        harmed=happenings.harmed(experiment.guardrails, now=now),
    )
    with connection.cursor() as cursor:
        cursor.execute(statement.text, statement.params)
        return cursor.rowcount > 0
