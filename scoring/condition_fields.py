"""What conditions may ask about on this floor: `score`, any other score as `score.NAME`, and `lifecycle_stage`."""

from __future__ import annotations

from contacts.conditions import Family, Field, register_family, register_field
from contacts.conditions.catalogue import register_choices
from contacts.conditions.reading import ANY_EVENT, about_event
from scoring.lifecycle import stages
from scoring.projection import scores
from scoring.rulesets import reading
from scoring.rulesets.rules import LEAD


def register() -> None:
    """Called once, when the app is ready."""
    register_field(_score("score", LEAD, "score"))
    register_family(
        Family(prefix="score", names=reading.names, member=lambda name: _score(name, name, f"the {name} score"))
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
    register_choices("lifecycle_stage", lambda: list(stages.labels().items()))


def _score(name: str, asked: str, label: str) -> Field:
    """The field `name`, whose value is the score `asked`."""
    return Field(
        name=name,
        type="number",
        sql=lambda alias, now: scores.scalar(at=now, contact=alias, name=asked),
        label=label,
        # whatever rules may ask
        reads=frozenset({ANY_EVENT, "attribute", "field", "tag", "list", "consent", "workflow"}),
        moves_with_time=True,  # points fade; and so that new rules hold within minutes
    )
