"""Which variants of experiments an enrolment has taken so far, for those who count by them.

The journal knows: the row of an experiment step tells the variant. Only versions that have such a step are asked about,
so counting by variants costs nothing where nothing is tried."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.db import connection

from workflows import versions

SEP = ":"  # between an experiment and its variant: in the name of neither


@dataclass(frozen=True)
class Taken:
    """`name`: <experiment>:<variant>; `seq`: the number of the step in the journal of the enrolment."""

    seq: int
    name: str


def of(enrolments: Mapping[int, int]) -> dict[int, tuple[Taken, ...]]:
    """By enrolment, in their order, each name once. `enrolments`: the version of each, of which those without an
    experiment are left out, as are enrolments that have taken none. One statement, or none."""
    splitting = versions.splitting(enrolments.values())
    asked = [enrolment_id for enrolment_id, version_id in enrolments.items() if version_id in splitting]
    if not asked:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT enrolment_id, seq, version_id, step, detail ->> 'variant' FROM workflow_journal
             WHERE enrolment_id = ANY(%s) AND step_type = 'experiment' AND outcome = 'advanced' AND detail ? 'variant'
             ORDER BY enrolment_id, seq
            """,
            [asked],
        )
        return named(cursor.fetchall())


def named(rows: Iterable[tuple[int, int, int, str, str]]) -> dict[int, tuple[Taken, ...]]:
    """Rows of the journal (whose, seq, version, step, variant), in their order, as what was taken."""
    found: dict[int, dict[str, Taken]] = {}
    for whose, seq, version_id, step, variant in rows:
        experiment = versions.load([version_id])[version_id].steps[step].prepared.experiment
        name = f"{experiment}{SEP}{variant}"
        found.setdefault(whose, {}).setdefault(name, Taken(seq, name))
    return {whose: tuple(taken.values()) for whose, taken in found.items()}
