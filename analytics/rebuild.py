"""The recount: every counter worked out anew from the facts; compared with what was counted, and put in its place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from analytics.counted import DROPPED, WITH_REASON
from analytics.counters import ALL
from delivery.ledger import TOLD
from delivery.webhooks import vocabulary

# Each part counts by (workflow_id, version_id, step, metric, day). A step was entered by every row of the journal that
# a step wrote and did not write after waiting; a step that raised was never entered, and neither was one that somebody
# was taken out of before it ran (those rows have no step type, or come after a wait). Somebody who was moved to another
# version entered in the one that they were moved out of first, and goes on with a wait where the row has a step type.
_WAITS = "outcome = 'waiting' OR (outcome = 'moved' AND step_type <> '')"
_RECOUNT = f"""
    SELECT workflow_id, COALESCE(first.from_version_id, version_id) AS version_id, '' AS step, 'entered' AS metric,
           (entered_at AT TIME ZONE 'UTC')::date AS day, count(*) AS amount
      FROM workflow_enrolments e
      LEFT JOIN (SELECT DISTINCT ON (enrolment_id) enrolment_id, from_version_id FROM edit_moves
                  ORDER BY enrolment_id, plan_id) first ON first.enrolment_id = e.id
     GROUP BY 1, 2, 5
    UNION ALL
    SELECT workflow_id, version_id, '', CASE state WHEN 'exited' THEN 'exited:' || exit_reason ELSE state END,
           (finished_at AT TIME ZONE 'UTC')::date, count(*)
      FROM workflow_enrolments WHERE finished_at IS NOT NULL GROUP BY 1, 2, 4, 5
    UNION ALL
    SELECT v.workflow_id, j.version_id, j.step, 'entered', (j.at AT TIME ZONE 'UTC')::date, count(*)
      FROM (SELECT *, lag({_WAITS}) OVER (PARTITION BY enrolment_id ORDER BY seq) AS waited FROM workflow_journal
             WHERE outcome <> 'failed') j
      JOIN workflow_versions v ON v.id = j.version_id
     WHERE j.step_type <> '' AND j.outcome <> 'moved' AND j.waited IS NOT TRUE GROUP BY 1, 2, 3, 5
    UNION ALL
    SELECT v.workflow_id, m.version_id, m.step, m.metric, (j.at AT TIME ZONE 'UTC')::date, count(*)
      FROM (SELECT *, lag({_WAITS}) OVER one AS waited, lead(version_id) OVER one AS next_version,
                   lead(step) OVER one AS next_step
              FROM workflow_journal
             WHERE outcome <> 'failed' AND enrolment_id IN (SELECT enrolment_id FROM edit_moves)
            WINDOW one AS (PARTITION BY enrolment_id ORDER BY seq)) j
      JOIN workflow_enrolments e ON e.id = j.enrolment_id
     CROSS JOIN LATERAL (VALUES
           (j.version_id, '', 'moved_out', true),
           (COALESCE(j.next_version, e.version_id), '', 'moved_in', true),
           (j.version_id, j.step, 'moved_out', j.waited),
           (COALESCE(j.next_version, e.version_id), COALESCE(j.next_step, e.step), 'moved_in', j.step_type <> ''))
           AS m(version_id, step, metric, counts)
      JOIN workflow_versions v ON v.id = m.version_id
     WHERE j.outcome = 'moved' AND m.counts GROUP BY 1, 2, 3, 4, 5
    UNION ALL
    SELECT v.workflow_id, j.version_id, j.step, 'left:' || j.port, (j.at AT TIME ZONE 'UTC')::date, count(*)
      FROM workflow_journal j JOIN workflow_versions v ON v.id = j.version_id
     WHERE j.outcome = 'advanced' GROUP BY 1, 2, 3, 4, 5
    UNION ALL
    SELECT v.workflow_id, j.version_id, j.step, 'reached', (j.at AT TIME ZONE 'UTC')::date, count(*)
      FROM workflow_journal j JOIN workflow_versions v ON v.id = j.version_id
     WHERE j.step_type = 'goal' AND j.outcome = 'advanced' AND NOT j.detail ? 'skipped' GROUP BY 1, 2, 3, 5
    UNION ALL
    SELECT workflow_id, 0, '', 'refused:' || reason, (refused_at AT TIME ZONE 'UTC')::date, count(*)
      FROM entry_refusals GROUP BY 1, 4, 5
    UNION ALL
    SELECT COALESCE(workflow_id, 0), COALESCE(version_id, 0), step, 'queued', (created_at AT TIME ZONE 'UTC')::date,
           count(*)
      FROM messages GROUP BY 1, 2, 3, 5
    UNION ALL
    SELECT COALESCE(m.workflow_id, 0), COALESCE(m.version_id, 0), m.step,
           CASE WHEN l.kind = ANY(%(with_reason)s) THEN l.kind || ':' || l.reason ELSE l.kind END,
           (l.at AT TIME ZONE 'UTC')::date, count(*)
      FROM contact_send_log l JOIN messages m ON m.id = l.message_id
     WHERE l.kind = ANY(%(told)s) GROUP BY 1, 2, 3, 4, 5
    UNION ALL
    SELECT COALESCE(m.workflow_id, 0), COALESCE(m.version_id, 0), m.step, f.name || '_total', f.day, count(*)
      FROM feedback f JOIN messages m ON m.id = f.message_id GROUP BY 1, 2, 3, 4, 5
    UNION ALL
    SELECT COALESCE(m.workflow_id, 0), COALESCE(m.version_id, 0), m.step, f.name, f.day, count(*)
      FROM (SELECT DISTINCT ON (message_id, name) message_id, name, day FROM feedback ORDER BY message_id, name, id) f
      JOIN messages m ON m.id = f.message_id GROUP BY 1, 2, 3, 4, 5
"""
_WITH = f"""
    WITH feedback AS (
        SELECT id, message_id, (recorded_at AT TIME ZONE 'UTC')::date AS day,
               CASE kind WHEN %(rejected)s THEN %(dropped)s ELSE kind END
               || CASE WHEN is_machine THEN '_by_machines' ELSE '' END AS name
          FROM message_feedback WHERE message_id IS NOT NULL),
    recount AS MATERIALIZED ({_RECOUNT})
"""
_WORDS: dict[str, Any] = {
    "with_reason": sorted(WITH_REASON),
    "told": sorted(TOLD),
    "rejected": vocabulary.REJECTED,
    "dropped": DROPPED,
}


@dataclass(frozen=True)
class Difference:
    """A counter that says `counted` where the facts say `facts`."""

    workflow: str  # its slug; empty: messages that no workflow wanted
    version_id: int
    step: str
    metric: str
    counted: int
    facts: int


@dataclass(frozen=True)
class Comparison:
    """The sums of all counters and of all facts, and where they differ."""

    counted: int
    facts: int
    differences: tuple[Difference, ...]


def compare() -> Comparison:
    """Count again and compare, in one statement, so work that goes on meanwhile is in both sides or in neither."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            {_WITH},
            sides AS (
                SELECT workflow_id, version_id, step, metric, sum(amount) AS counted, 0 AS facts
                  FROM {ALL} AS counted GROUP BY 1, 2, 3, 4
                UNION ALL
                SELECT workflow_id, version_id, step, metric, 0, sum(amount) FROM recount GROUP BY 1, 2, 3, 4),
            compared AS (
                SELECT workflow_id, version_id, step, metric, sum(counted)::bigint AS counted,
                       sum(facts)::bigint AS facts
                  FROM sides GROUP BY 1, 2, 3, 4)
            SELECT COALESCE(w.slug, ''), c.version_id, c.step, c.metric, c.counted, c.facts,
                   sum(c.counted) OVER ()::bigint, sum(c.facts) OVER ()::bigint
              FROM compared c LEFT JOIN workflows w ON w.id = c.workflow_id
             ORDER BY c.counted = c.facts, w.slug, c.version_id, c.step, c.metric
            """,
            _WORDS,
        )
        rows = cursor.fetchall()
    if not rows:
        return Comparison(counted=0, facts=0, differences=())
    differences = tuple(Difference(*row[:6]) for row in rows if row[4] != row[5])
    return Comparison(counted=rows[0][6], facts=rows[0][7], differences=differences)


def replace() -> Comparison:
    """Put the recount in the place of all counters and deltas; returns what it found before. Nobody folds meanwhile;
    work goes on, and deltas that are committed after the recount began stay for the next fold."""
    with transaction.atomic(), connection.cursor() as cursor:
        # the lock first, in a statement of its own: the recount must not see the counters of before a fold and the
        # deltas of after it
        cursor.execute("LOCK TABLE counters IN SHARE ROW EXCLUSIVE MODE")
        found = compare()
        cursor.execute(
            f"""
            {_WITH},
            folded AS (DELETE FROM counter_deltas),
            stale AS (
                DELETE FROM counters c WHERE NOT EXISTS (
                    SELECT FROM recount r WHERE r.workflow_id = c.workflow_id AND r.version_id = c.version_id
                       AND r.step = c.step AND r.metric = c.metric AND r.day = c.day))
            INSERT INTO counters (workflow_id, version_id, step, metric, day, amount)
            SELECT workflow_id, version_id, step, metric, day, amount FROM recount
            ON CONFLICT ON CONSTRAINT one_counter_per_step_metric_and_day DO UPDATE SET amount = EXCLUDED.amount
            """,
            _WORDS,
        )
    return found
