"""How many entered and where they stand: what the cards of the builder show while somebody draws. One statement, of a
few rows a step, that is asked every few seconds by every open builder; `overview.read` has all the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from django.db import connection

from analytics.counting.counted import STANDING
from analytics.counting.counters import FACETED


@dataclass(frozen=True)
class Place:
    """`entered`: times somebody came to the step, ever; `here_now`: who stands there."""

    entered: int = 0
    here_now: int = 0


@dataclass(frozen=True)
class Standing:
    """`entered` and `refused` (entries) are of the journey, in all its versions; `steps` has those that anybody came
    to."""

    entered: int = 0
    refused: int = 0
    steps: Mapping[str, Place] = field(default_factory=dict)


_READ = f"""
    SELECT step, sum(amount) FILTER (WHERE metric = 'entered'), sum(amount) FILTER (WHERE metric = ANY(%(standing)s)),
           sum(amount) FILTER (WHERE metric LIKE 'refused:%%')
      FROM {FACETED} AS c
     WHERE workflow_id = %(workflow)s AND facet = ''
       AND (metric = 'entered' OR metric = ANY(%(standing)s) OR metric LIKE 'refused:%%')
     GROUP BY step ORDER BY step
"""


def read(workflow_id: int) -> Standing:
    with connection.cursor() as cursor:
        cursor.execute(_READ, {"workflow": workflow_id, "standing": sorted(STANDING)})
        rows = {step: [int(number or 0) for number in numbers] for step, *numbers in cursor.fetchall()}
    entered, _, refused = rows.pop("", (0, 0, 0))
    return Standing(entered, refused, {step: Place(came, here) for step, (came, here, _) in rows.items()})
