"""What conditions may ask about on this floor: `score` and `lifecycle_stage`."""

from __future__ import annotations

from contacts.conditions import Field, register_field
from contacts.conditions.catalogue import register_choices
from contacts.conditions.reading import ANY_EVENT, about_event
from scoring.lifecycle import stages
from scoring.projection import scores


def register() -> None:
    """Called once, when the app is ready."""
    register_field(
        Field(
            name="score",
            type="number",
            sql=lambda alias, now: scores.scalar(at=now, contact=alias),
            label="score",
            reads=frozenset(
                {ANY_EVENT, "attribute", "field", "tag", "list", "consent", "workflow"}
            ),  # whatever rules may ask
            moves_with_time=True,  # points fade; and so that new rules hold within minutes
        )
    )
    register_field(
        Field(
            name="lifecycle_stage",
            type="text",
            sql=lambda alias, now: stages.stage_sql(alias),
            label="lifecycle stage",
            reads=frozenset({about_event("lifecycle_changed")}),
        )
    )
    register_choices("lifecycle_stage", lambda: [(stage, stage) for stage in stages.STAGES])
