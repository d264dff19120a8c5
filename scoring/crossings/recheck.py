"""After an activation: everybody who may have a score is asked for a check, in batches that never flood the lane."""

from __future__ import annotations

from datetime import datetime

from django.db import connection

from scoring.crossings import checks
from scoring.projection import compiler
from scoring.rulesets import reading
from scoring.rulesets.arithmetic import rules_of

BATCH = 500

# Not FOR UPDATE: whoever writes a crossing shares its ruleset's key, and holds a check that may be asked for here.
_NEXT_RULESET = """
    SELECT s.id, s.recheck_after, s.activated_xid FROM scoring_rulesets s
     WHERE s.state = 'active' AND s.recheck_after IS NOT NULL
     ORDER BY s.id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
"""
# A transaction that began before the activation was committed may still record an event by the old rules, and ask for
# no check. So nobody is asked for until all that could have begun before are over: the first call notes the next
# transaction's number, the others look whether anybody in this database still runs, or reads, from before it.
_NOTE = """
    UPDATE scoring_rulesets SET activated_xid = pg_snapshot_xmax(pg_current_snapshot())::text::bigint WHERE id = %s
"""
_STILL_RUNNING = """
    SELECT EXISTS (
        SELECT FROM pg_stat_activity a
         WHERE a.datname = current_database() AND a.backend_type = 'client backend' AND a.pid <> pg_backend_pid()
           AND GREATEST(age(a.backend_xid), age(a.backend_xmin)) > age((%s %% 4294967296)::text::xid))
"""
_CROWDED = """
    SELECT count(*) >= %(limit)s
      FROM (SELECT FROM score_checks WHERE lane = 'bulk' AND check_at <= %(now)s LIMIT %(limit)s) AS due
"""
# Whoever may have a score under the new rules, or had one that reached a threshold under the old ones.
_ASK_PAGE = f"""
    WITH page AS (SELECT id FROM contacts WHERE id > %(after)s ORDER BY id LIMIT %(limit)s),
    asked AS (
        INSERT INTO score_checks (contact_id, check_at, lane)
        SELECT p.id, %(now)s, 'bulk' FROM page p
         WHERE %(everybody)s
            OR EXISTS (SELECT FROM contact_events e
                        WHERE e.contact_id = p.id AND e.type = ANY(%(types)s) AND e.processed)
            OR EXISTS (SELECT FROM score_sides s WHERE s.contact_id = p.id AND s.above)
         ORDER BY p.id
        {checks.SOONER})
    SELECT CASE WHEN count(*) = %(limit)s THEN max(id) END FROM page
"""


def ask_batch(*, now: datetime, limit: int = BATCH) -> bool:
    """Ask for checks of the next contacts, inside the caller's transaction. Returns whether there may be more to do.

    Does nothing while as many checks as a page has contacts are due in the bulk lane."""
    assert connection.in_atomic_block, "ask_batch needs the caller's transaction"
    with connection.cursor() as cursor:
        cursor.execute(_NEXT_RULESET)
        row = cursor.fetchone()
        if row is None:
            return False
        ruleset_id, after, begun_before = row
        if begun_before is None:
            cursor.execute(_NOTE, [ruleset_id])
            return True
        cursor.execute(_STILL_RUNNING, [begun_before])
        if cursor.fetchone()[0]:
            return False
        cursor.execute(_CROWDED, {"now": now, "limit": limit})
        if cursor.fetchone()[0]:
            return False
        ruleset = next(ruleset for ruleset in reading.active_rulesets() if ruleset.ruleset_id == ruleset_id)
        page = {
            "after": after,
            "limit": limit,
            "now": now,
            "everybody": any(rule.condition is not None for rule in rules_of(ruleset)),
            "types": compiler.event_types(ruleset),
        }
        cursor.execute(_ASK_PAGE, page)
        cursor.execute(
            "UPDATE scoring_rulesets SET recheck_after = %s WHERE id = %s", [cursor.fetchone()[0], ruleset_id]
        )
    return True
