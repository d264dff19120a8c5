"""Send contacts on different ways, and remember who took which: the same person sees the same variant in every journey
that asks for the experiment, also when its weights change.

The first assignment stands for good. Where its variant is no longer among the step's, the contact goes the way of the
variant that owns their bucket now, and the journal says which one they had: the row is of what they saw first."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any, ClassVar

from django.db import connection
from pydantic import Field, ValidationError

from workflows import experiments
from workflows.definition import phrases
from workflows.definition.problems import Problem
from workflows.definition.shown import Shown
from workflows.definition.strict import Slug, Strict
from workflows.experiments import Range
from workflows.steps.base import Advance, Cohort, Outcome, StepType, rough_keys

HEAVIEST = 1_000_000


class Variant(Strict):
    """A weight of 0: nobody new; who has the variant keeps it."""

    key: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,60}$")]
    weight: Annotated[float, Field(ge=0, le=HEAVIEST, allow_inf_nan=False)]


class ExperimentConfig(Strict):
    """Weights are shares of their sum, whatever that is. A `holdout` is a variant like any other."""

    experiment: Annotated[
        Slug,
        Shown(
            "Experiment",
            help="Its name in small letters. Whoever took part keeps their variant in every journey that names it.",
        ),
    ]
    variants: Annotated[
        list[Variant],
        Field(min_length=2, max_length=20),
        Shown(
            "Variants",
            control="variants",
            help="Each gets its share of the contacts. Weight 0: nobody new. One may be a holdout, who get nothing.",
        ),
    ]


class Experiment(StepType):
    key = "experiment"
    label = "Experiment"
    group, icon = "logic", "science"
    hint = "Send a fixed share of contacts down each path"
    initial: ClassVar = {"variants": [{"key": "a", "weight": 50}, {"key": "b", "weight": 50}]}
    Config = ExperimentConfig

    def ports(self, config: ExperimentConfig) -> tuple[str, ...]:
        return tuple(variant.key for variant in config.variants)

    def rough_ports(self, config: Mapping[str, Any]) -> tuple[str, ...]:
        return rough_keys(config.get("variants"))

    def caption(self, config: Mapping[str, Any], port: str) -> str:
        """The variant with its share."""
        named = super().caption(config, port)
        try:
            weights = {each.key: each.weight for each in ExperimentConfig.model_validate(config).variants}
        except ValidationError:
            return named
        total = sum(weights.values())
        return f"{named} {100 * weights[port] / total:,.3g} %" if total and port in weights else named

    def problems(self, config: ExperimentConfig, step: str) -> Iterable[Problem]:
        seen: set[str] = set()
        for index, variant in enumerate(config.variants):
            if variant.key in seen:
                message = f"the variant {variant.key!r} is there already"
                yield Problem(step, f"config.variants.{index}.key", "duplicate", message)
            seen.add(variant.key)
        if not any(variant.weight for variant in config.variants):
            yield Problem(step, "config.variants", "bad_value", "at least one variant needs a weight")

    def sentence(self, config: ExperimentConfig) -> str:
        weights = ", ".join(f"{phrases.quoted(each.key)} {each.weight:,g}" for each in config.variants)
        return f"Split by the experiment {phrases.quoted(config.experiment)}, weighed {weights}"

    def run(self, cohort: Cohort, prepared: Any, now: datetime) -> list[Outcome]:
        config: ExperimentConfig = prepared
        owned = _owned(cohort.version_id, cohort.step, config.experiment)
        keys = set(self.ports(config))
        wanted = {
            member.contact_id: experiments.bucket(config.experiment, member.contact_id) for member in cohort.members
        }
        assigned = _read(config.experiment, sorted(wanted))
        new = [contact_id for contact_id in sorted(wanted) if contact_id not in assigned]
        if new:
            chosen = {contact_id: experiments.variant_of(owned, wanted[contact_id]) for contact_id in new}
            inserted = _insert(cohort, config.experiment, chosen, wanted, now)
            assigned |= {contact_id: chosen[contact_id] for contact_id in inserted}
            if lost := [contact_id for contact_id in new if contact_id not in assigned]:
                assigned |= _read(config.experiment, lost)  # somebody else was first, and has committed
        outcomes: list[Outcome] = []
        for member in cohort.members:
            number, had = wanted[member.contact_id], assigned[member.contact_id]
            variant = had if had in keys else experiments.variant_of(owned, number)
            detail: dict[str, Any] = {"variant": variant, "bucket": number}
            outcomes.append(Advance(port=variant, detail=detail if had == variant else {**detail, "had": had}))
        return outcomes


@lru_cache(maxsize=2000)
def _owned(version_id: int, step: str, experiment: str) -> tuple[Range, ...]:
    """Which buckets each variant owns at this step: by the weights of the experiment in all versions of the journey up
    to this one. Versions never change; one statement, once in a process."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT (s.value -> 'config' -> 'variants')::text
              FROM workflow_versions mine
              JOIN workflow_versions v ON v.workflow_id = mine.workflow_id AND v.number <= mine.number
             CROSS JOIN LATERAL jsonb_each(v.definition -> 'steps') AS s
             WHERE mine.id = %s AND s.value ->> 'type' = 'experiment' AND s.value -> 'config' ->> 'experiment' = %s
             ORDER BY v.number, v.id = mine.id AND s.key = %s, s.key
            """,
            [version_id, experiment, step],
        )
        history = [json.loads(variants) for (variants,) in cursor.fetchall()]
    return experiments.ranges({each["key"]: each["weight"] for each in variants} for variants in history)


def _read(experiment: str, contact_ids: Sequence[int]) -> dict[int, str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT contact_id, variant FROM experiment_assignments WHERE experiment = %s AND contact_id = ANY(%s)",
            [experiment, list(contact_ids)],
        )
        return dict(cursor.fetchall())


def _insert(
    cohort: Cohort,
    experiment: str,
    chosen: Mapping[int, str],
    bucket_of: Mapping[int, int],
    now: datetime,
) -> list[int]:
    """Returns for whom the row is ours; who is not among them was assigned by somebody else meanwhile."""
    contact_ids = sorted(chosen)
    enrolments = {member.contact_id: member.enrolment_id for member in cohort.members}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO experiment_assignments
                   (experiment, contact_id, variant, bucket, enrolment_id, version_id, step, assigned_at)
            SELECT %s, r.contact_id, r.variant, r.bucket, r.enrolment_id, %s, %s, %s
              FROM unnest(%s::bigint[], %s::text[], %s::smallint[], %s::bigint[])
                   AS r(contact_id, variant, bucket, enrolment_id)
             ORDER BY r.contact_id
            ON CONFLICT ON CONSTRAINT one_variant_per_experiment_and_contact DO NOTHING
            RETURNING contact_id
            """,
            [
                experiment,
                cohort.version_id,
                cohort.step,
                now,
                contact_ids,
                [chosen[contact_id] for contact_id in contact_ids],
                [bucket_of[contact_id] for contact_id in contact_ids],
                [enrolments[contact_id] for contact_id in contact_ids],
            ],
        )
        return [contact_id for (contact_id,) in cursor.fetchall()]
