"""Rules in force that name a list, a segment or a tag: those that score, and those that move people along."""

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
            SELECT 'scoring', r.name FROM scoring_rules r JOIN scoring_rulesets s ON s.id = r.ruleset_id
             WHERE s.state = 'active'
               AND jsonb_path_exists(r.signal, %(path)s::jsonpath, jsonb_build_object('name', %(name)s::text))
             UNION ALL
            SELECT 'progression', p.name FROM lifecycle_progression_rules p
             WHERE p.is_active
               AND jsonb_path_exists(p.cause, %(path)s::jsonpath, jsonb_build_object('name', %(name)s::text))
             ORDER BY 1 DESC, 2
            """,
            {"path": uses.in_conditions(kind), "name": name},
        )
        return [f"the {kind_of_rule} rule “{found}”" for kind_of_rule, found in cursor.fetchall()]
