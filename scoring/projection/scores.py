"""What a score is: a pure function of a contact, the active rules and an instant, computed when asked. Nothing of it is
stored, so new rules hold for everybody at the next question."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.db import connection

from contacts.conditions import Sql
from scoring.projection import compiler
from scoring.rulesets import reading
from scoring.rulesets.rules import LEAD, Ruleset


def of(*, contact_ids: Collection[int], at: datetime, name: str = LEAD) -> dict[int, float]:
    """The score of each of these contacts at `at`, rounded to 6 decimals. Without an active ruleset everybody has 0;
    ids that are nobody's are left out. Two statements for any number of contacts: the rules, and the projection."""
    ruleset = reading.active_ruleset(name)
    if ruleset is None:
        ruleset = Ruleset(ruleset_id=0, name=name, version=0, mql_threshold=0, rules=())
    return under(ruleset, contact_ids=contact_ids, at=at)


def under(
    ruleset: Ruleset, *, contact_ids: Collection[int], at: datetime, known_by: datetime | None = None
) -> dict[int, float]:
    """The same under rules that the caller holds, active or not; where `known_by` is given, by the events that had been
    recorded by then. One statement."""
    score = compiler.score(ruleset, at=at, contact="c", known_by=known_by)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT c.id, {score.text} FROM contacts c WHERE c.id = ANY(%s)", [*score.params, sorted(contact_ids)]
        )
        return dict(cursor.fetchall())


def scalar(*, at: datetime, contact: str, name: str = LEAD) -> Sql:
    """The score as an SQL expression over `contact`, the alias of a row of contacts: for conditions."""
    ruleset = reading.active_ruleset(name)
    return Sql("0::float8", []) if ruleset is None else compiler.score(ruleset, at=at, contact=contact)
