"""The recount: every counter worked out anew from the facts, as SQL.

Each part counts facts of one kind. A step was entered by every row of the journal that a step wrote and did not write
after waiting; a step that raised was never entered, and neither was one that somebody was taken out of before it ran
(those rows have no step type, or come after a wait). Somebody who was moved to another version entered in the one that
they were moved out of first, and goes on with a wait where the row has a step type."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from analytics.counting.counted import DROPPED, NO_DAY, TEMPLATE, VARIANT, WITH_REASON
from analytics.counting.taken import MADE_BY
from delivery.ledger import TOLD
from delivery.webhooks import vocabulary
from workflows.variants import SEP

_WAITS = "outcome = 'waiting' OR (outcome = 'moved' AND step_type <> '')"


def _day(instant: str) -> str:
    return f"({instant} AT TIME ZONE 'UTC')::date"


def _part(
    *, workflow: str = "v.workflow_id", version: str, step: str = "''", metric: str, day: str, rows: str,
    amount: str = "count(*)", where: str = "true", whose: str = "", before: str = "", if_taken: str = "true",
) -> str:  # fmt: skip
    """One kind of facts, and the same of each variant that `whose` enrolment had taken `before` that row of its
    journal (the empty string: whenever), where there is such a thing."""
    counted = f"SELECT {workflow}, {version}, {step}, {metric}, {{facet}}, {day}, {amount} FROM {rows}"
    everybody = counted.format(facet="''::text")
    texts = [f"{everybody} WHERE {where} GROUP BY 1, 2, 3, 4, 5, 6"]
    if whose:
        joined = f"JOIN variants_taken t ON t.enrolment_id = {whose} AND {f't.seq < {before}' if before else 'true'}"
        in_a_split = f"{version} IN (SELECT id FROM splitting)"
        facet = f"'{VARIANT}' || t.name"
        conditions = f"{where} AND {if_taken} AND {in_a_split}"
        texts.append(f"{counted.format(facet=facet)} {joined} WHERE {conditions} GROUP BY 1, 2, 3, 4, 5, 6")
    return " UNION ALL ".join(texts)


def _posted(*, metric: str, day: str, rows: str, where: str = "true") -> str:
    """Facts about messages `m`: all, by template, and by the variants that were taken before they were made."""
    place = "COALESCE(m.workflow_id, 0), COALESCE(m.version_id, 0), m.step"
    return f"""
        SELECT {place}, {metric}, CASE WHEN GROUPING(m.template) = 1 THEN '' ELSE '{TEMPLATE}' || m.template END,
               {day}, count(*)
          FROM {rows} WHERE {where}
         GROUP BY GROUPING SETS ((1, 2, 3, 4, 6), (1, 2, 3, 4, 6, m.template))
        UNION ALL
        SELECT {place}, {metric}, '{VARIANT}' || t.name, {day}, count(*)
          FROM {rows} JOIN variants_taken t ON t.enrolment_id = m.enrolment_id AND t.seq < m.made_by
         WHERE ({where}) AND m.version_id IN (SELECT id FROM splitting) GROUP BY 1, 2, 3, 4, 5, 6
    """


_JOURNAL = "JOIN workflow_versions v ON v.id = j.version_id"
_PARTS = (
    _part(
        workflow="e.workflow_id",
        version="COALESCE(first.from_version_id, e.version_id)",
        metric="'entered'",
        day=_day("e.entered_at"),
        rows="""enrolments e
          LEFT JOIN (SELECT DISTINCT ON (enrolment_id) enrolment_id, from_version_id FROM edit_moves
                      ORDER BY enrolment_id, plan_id) first ON first.enrolment_id = e.id""",
    ),
    # who took a variant
    f"""SELECT v.workflow_id, t.version_id, '', 'entered', '{VARIANT}' || t.name, {_day("t.at")}, count(*)
          FROM variants_taken t JOIN workflow_versions v ON v.id = t.version_id GROUP BY 1, 2, 3, 4, 5, 6""",
    _part(
        workflow="e.workflow_id",
        version="e.version_id",
        metric="CASE e.state WHEN 'exited' THEN 'exited:' || e.exit_reason ELSE e.state END",
        day=_day("e.finished_at"),
        rows="enrolments e",
        where="e.finished_at IS NOT NULL AND e.state <> 'failed'",
        whose="e.id",
    ),
    # a failure that somebody decided about is none any more, from then on
    *(
        _part(
            workflow="l.workflow_id",
            version="l.version_id",
            metric="'failed'",
            day=_day(day),
            amount=f"{sign}count(*)",
            rows="dead_letters l",
            where=f"l.version_id IN (SELECT id FROM versions) AND {where}",
            whose="l.enrolment_id",
            before="l.seq",
        )
        for day, sign, where in (("l.failed_at", "", "true"), ("l.resolved_at", "-", "l.state <> 'open'"))
    ),
    _part(
        workflow="e.workflow_id",
        version="e.version_id",
        step="e.step",
        metric="e.state",
        day=f"DATE '{NO_DAY.isoformat()}'",
        rows="enrolments e",
        where="e.finished_at IS NULL",
    ),
    _part(
        version="j.version_id",
        step="j.step",
        metric="'entered'",
        day=_day("j.at"),
        rows=f"""(SELECT *, lag({_WAITS}) OVER (PARTITION BY enrolment_id ORDER BY seq) AS waited FROM journal
                   WHERE outcome <> 'failed') j {_JOURNAL}""",
        where="j.step_type <> '' AND j.outcome <> 'moved' AND j.waited IS NOT TRUE",
        whose="j.enrolment_id",
        before="j.seq",
    ),
    _part(
        version="m.version_id",
        step="m.step",
        metric="m.metric",
        day=_day("j.at"),
        rows=f"""(SELECT *, lag({_WAITS}) OVER one AS waited, lead(version_id) OVER one AS next_version,
                         lead(step) OVER one AS next_step
                    FROM journal
                   WHERE outcome <> 'failed' AND enrolment_id IN (SELECT enrolment_id FROM edit_moves)
                  WINDOW one AS (PARTITION BY enrolment_id ORDER BY seq)) j
            JOIN workflow_enrolments e ON e.id = j.enrolment_id
           CROSS JOIN LATERAL (VALUES
                 (j.version_id, '', 'moved_out', true),
                 (COALESCE(j.next_version, e.version_id), '', 'moved_in', true),
                 (j.version_id, j.step, 'moved_out', j.waited),
                 (COALESCE(j.next_version, e.version_id), COALESCE(j.next_step, e.step), 'moved_in',
                  j.step_type <> '')) AS m(version_id, step, metric, counts)
            JOIN workflow_versions v ON v.id = m.version_id""",
        where="j.outcome = 'moved' AND m.counts",
        whose="j.enrolment_id",
        before="j.seq",
        if_taken="m.step = ''",
    ),
    _part(
        version="j.version_id",
        step="j.step",
        metric="'left:' || j.port",
        day=_day("j.at"),
        rows=f"journal j {_JOURNAL}",
        where="j.outcome = 'advanced'",
        whose="j.enrolment_id",
        before="j.seq",
    ),
    _part(
        version="j.version_id",
        step="j.step",
        metric="'reached'",
        day=_day("j.at"),
        rows=f"journal j {_JOURNAL}",
        where="j.step_type = 'goal' AND j.outcome = 'advanced' AND NOT j.detail ? 'skipped'",
        whose="j.enrolment_id",
        before="j.seq",
    ),
    _part(
        workflow="r.workflow_id",
        version="0",
        metric="'refused:' || r.reason",
        day=_day("r.refused_at"),
        rows="entry_refusals r",
        where="r.workflow_id IN (SELECT id FROM wanted)",
    ),
    _posted(metric="'queued'", day=_day("m.created_at"), rows="post m"),
    _posted(
        metric="CASE WHEN l.kind = ANY(%(with_reason)s) THEN l.kind || ':' || l.reason ELSE l.kind END",
        day=_day("l.at"),
        rows="contact_send_log l JOIN post m ON m.id = l.message_id",
        where="l.kind = ANY(%(told)s)",
    ),
    _posted(metric="f.name || '_total'", day="f.day", rows="feedback f JOIN post m ON m.id = f.message_id"),
    _posted(
        metric="f.name",
        day="f.day",
        rows="""(SELECT DISTINCT ON (message_id, name) message_id, name, day FROM feedback
                  ORDER BY message_id, name, id) f JOIN post m ON m.id = f.message_id""",
    ),
)
# What is counted is read through these, which leave out other workflows. Workflow 0 stands for messages of none.
_READ = f"""
    wanted AS MATERIALIZED (
        SELECT id FROM (SELECT id FROM workflows UNION ALL SELECT 0) AS w
         WHERE %(workflows)s::bigint[] IS NULL OR id = ANY(%(workflows)s)),
    versions AS MATERIALIZED (
        SELECT id, definition FROM workflow_versions WHERE workflow_id IN (SELECT id FROM wanted)),
    splitting AS MATERIALIZED (
        SELECT v.id FROM versions v
         WHERE EXISTS (SELECT FROM jsonb_each(v.definition -> 'steps') s WHERE s.value ->> 'type' = 'experiment')),
    enrolments AS NOT MATERIALIZED (
        SELECT * FROM workflow_enrolments WHERE workflow_id IN (SELECT id FROM wanted)),
    journal AS NOT MATERIALIZED (
        SELECT * FROM workflow_journal WHERE version_id IN (SELECT id FROM versions)),
    variants_taken AS MATERIALIZED (
        SELECT DISTINCT ON (j.enrolment_id, n.name) j.enrolment_id, n.name, j.seq, j.version_id, j.at
          FROM journal j JOIN splitting s ON s.id = j.version_id JOIN versions v ON v.id = j.version_id
         CROSS JOIN LATERAL (SELECT (v.definition #>> ARRAY['steps', j.step, 'config', 'experiment'])
                                    || '{SEP}' || (j.detail ->> 'variant') AS name) n
         WHERE j.step_type = 'experiment' AND j.outcome = 'advanced' AND j.detail ? 'variant'
         ORDER BY j.enrolment_id, n.name, j.seq),
    post AS NOT MATERIALIZED (
        SELECT m.id, m.workflow_id, m.version_id, m.step, m.enrolment_id, m.created_at, {MADE_BY} AS made_by,
               t.slug AS template
          FROM messages m JOIN template_versions tv ON tv.id = m.template_version_id
          JOIN templates t ON t.id = tv.template_id
         WHERE %(workflows)s::bigint[] IS NULL OR m.workflow_id = ANY(%(workflows)s)
            OR (m.workflow_id IS NULL AND 0 = ANY(%(workflows)s))),
    feedback AS NOT MATERIALIZED (
        SELECT id, message_id, {_day("recorded_at")} AS day,
               CASE kind WHEN %(rejected)s THEN %(dropped)s ELSE kind END
               || CASE WHEN is_machine THEN '_by_machines' ELSE '' END AS name
          FROM message_feedback WHERE message_id IS NOT NULL)
"""
# To be put behind WITH: `recount` (workflow_id, version_id, step, metric, facet, day, amount), several rows for one
# place where facts of several kinds are counted there.
RECOUNT = f"""
    {_READ},
    recount (workflow_id, version_id, step, metric, facet, day, amount) AS MATERIALIZED (
        {" UNION ALL ".join(_PARTS)})
"""


def words(workflow_ids: Collection[int] | None = None) -> dict[str, Any]:
    """The parameters of RECOUNT: of these workflows (0: messages of none), or of all."""
    return {
        "workflows": None if workflow_ids is None else sorted(workflow_ids),
        "with_reason": sorted(WITH_REASON),
        "told": sorted(TOLD),
        "rejected": vocabulary.REJECTED,
        "dropped": DROPPED,
    }
