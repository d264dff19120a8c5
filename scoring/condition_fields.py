"""What conditions may ask about on this floor: `score` and `lifecycle_stage`."""

from __future__ import annotations

from contacts.conditions import Field, register_field
from scoring import lifecycle, projection


def register() -> None:
    """Called once, when the app is ready."""
    register_field(
        Field(
            name="score",
            type="number",
            sql=lambda alias, now: projection.scalar(at=now, contact=alias),
            label="score",
        )
    )
    register_field(
        Field(
            name="lifecycle_stage",
            type="text",
            sql=lambda alias, now: lifecycle.stage_sql(alias),
            label="lifecycle stage",
        )
    )
