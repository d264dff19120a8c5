"""The experiments there are: one for every name that an experiment step of a published version bears."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection

from analytics.models import Experiment
from contacts.durations import window

# What no experiment should make worse, unless somebody asks for other limits: shares of the contacts of a variant.
GUARDRAILS: tuple[Mapping[str, Any], ...] = (
    {"name": "Unsubscribes", "event": "email_unsubscribed", "limit": 0.01},
    {"name": "Spam complaints", "event": "email_complained", "limit": 0.002},
    {"name": "Bounces", "event": "email_bounced", "limit": 0.02},
)
# Where the journey itself has a goal that is an event, this is what its experiments want to bring about.
_MISSING = """
    INSERT INTO experiments (slug, workflow_id, goal, guardrails, created_at)
    SELECT DISTINCT ON (slug) s.value -> 'config' ->> 'experiment' AS slug, v.workflow_id,
           (SELECT g.value - 'key' FROM jsonb_array_elements(v.definition -> 'exit' -> 'goal') AS g(value)
             WHERE g.value ? 'event' AND NOT g.value ?| ARRAY['count', 'op', 'within', 'message'] LIMIT 1),
           %s::jsonb, %s::timestamptz
      FROM workflow_versions v CROSS JOIN LATERAL jsonb_each(v.definition -> 'steps') AS s
     WHERE s.value ->> 'type' = 'experiment' AND s.value -> 'config' ? 'experiment'
       AND NOT EXISTS (SELECT FROM experiments e WHERE e.slug = s.value -> 'config' ->> 'experiment')
     ORDER BY slug, v.workflow_id, v.number DESC
    ON CONFLICT (slug) DO NOTHING
"""
_WEIGHTS = """
    SELECT variant.value ->> 'key', (variant.value ->> 'weight')::float8
      FROM workflow_versions v
     CROSS JOIN LATERAL jsonb_each(v.definition -> 'steps') AS s
     CROSS JOIN LATERAL jsonb_array_elements(s.value -> 'config' -> 'variants') WITH ORDINALITY AS variant(value, place)
     WHERE v.id = (SELECT v.id FROM workflow_versions v CROSS JOIN LATERAL jsonb_each(v.definition -> 'steps') AS s
                    WHERE v.workflow_id = %(workflow)s AND s.value ->> 'type' = 'experiment'
                      AND s.value -> 'config' ->> 'experiment' = %(slug)s
                    ORDER BY v.number DESC LIMIT 1)
       AND s.value ->> 'type' = 'experiment' AND s.value -> 'config' ->> 'experiment' = %(slug)s
     ORDER BY s.key, variant.place
"""


@dataclass(frozen=True)
class Variants:
    """The weights of the newest version that has the experiment, in the order of its definition; the base is the
    variant to beat: the one that was chosen, else a holdout, else the first."""

    weights: Mapping[str, float]
    base: str


def make_missing(*, now: datetime) -> None:
    """A row for each experiment that has none yet. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(_MISSING, [json.dumps(GUARDRAILS), now])


def variants(experiment: Experiment) -> Variants:
    """One statement. Without any version left that has it: no weights, and the base as chosen."""
    with connection.cursor() as cursor:
        cursor.execute(_WEIGHTS, {"workflow": experiment.workflow_id, "slug": experiment.slug})
        weights: dict[str, float] = {}
        for key, weight in cursor.fetchall():
            weights.setdefault(key, weight)
    base = experiment.base if experiment.base in weights else ""
    return Variants(weights, base or ("holdout" if "holdout" in weights else next(iter(weights), experiment.base)))


def span(experiment: Experiment) -> timedelta:
    """How long a contact has to convert: physical time, over the speed of the installation."""
    return window(experiment.window, speed=settings.TIME_SPEED)


def goal_words(goal: Mapping[str, Any] | None) -> str:
    """For people; empty without a goal."""
    if not goal:
        return ""
    if "stage" in goal:
        return f"becomes {goal['stage']}"
    return f"reaches the goal “{goal['goal']}”" if "goal" in goal else str(goal["event"])
