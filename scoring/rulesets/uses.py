"""Scoring rules in force that name a list, a segment or a tag."""

from __future__ import annotations

from django.db import connection

from contacts.audiences import uses
from contacts.audiences.uses import Kind


def register() -> None:
    """Called once, when the app is ready."""
    uses.register(_rules)


def _rules(kind: Kind, name: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT r.name FROM scoring_rules r JOIN scoring_rulesets s ON s.id = r.ruleset_id
             WHERE s.state = 'active'
               AND jsonb_path_exists(r.signal, %s::jsonpath, jsonb_build_object('name', %s::text)) ORDER BY r.name
            """,
            [uses.in_conditions(kind), name],
        )
        return [f"the scoring rule “{found}”" for (found,) in cursor.fetchall()]
