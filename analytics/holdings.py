"""What the observatory holds of a person.

The tables that dbt makes (schemas `staging` and `marts`) are not among it: they hold ids, and each run takes out
whoever was erased since the one before (`dbt/macros/incremental.sql`, and the test `nobody_erased_is_named` there)."""

from __future__ import annotations

from contacts.holdings import KEEP, Holding, register


def declare() -> None:
    """Called once, when the app is ready."""
    register(
        Holding(
            "experiment_outcomes",
            "Experiments",
            ("variant", "assigned_at", "converted_at"),
            erase=KEEP,
            once=("experiment_id",),
        ),
    )
