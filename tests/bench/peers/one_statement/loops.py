"""`python -m tests.bench.peers.one_statement.loops`: the whole journey as one statement, in the product's own tables,
with its constraints and its journal; without counters, trace, signals, versions, doorbells or anybody to stop it."""

from __future__ import annotations

import os
import sys
from multiprocessing import Process

import psycopg

PROCESSES = 2
BATCH = 1_000
READY, GO, DONE = "ready", "go", "done"

STATEMENT = """
WITH due AS (
    SELECT id, contact_id, version_id, step, seq FROM workflow_enrolments
     WHERE lane = 'urgent' AND state IN ('active', 'waiting') AND NOT held AND wake_at <= now()
     ORDER BY wake_at LIMIT %(batch)s FOR UPDATE SKIP LOCKED),
judged AS (
    SELECT d.*, CASE WHEN CASE d.step
             WHEN 'branch-1' THEN c.attributes ->> 'plan' = 'pro'
             WHEN 'branch-2' THEN c.attributes ->> 'country' IN ('DE', 'FR', 'GB')
             WHEN 'branch-3' THEN (c.attributes ->> 'seats')::numeric >= 100
             WHEN 'branch-4' THEN c.attributes ->> 'job_title' ILIKE '%%director%%'
             WHEN 'branch-5' THEN (c.attributes ->> 'company_size')::numeric >= 1000
                                  OR (c.attributes ->> 'mrr')::numeric >= 500
             ELSE c.attributes ->> 'industry' = 'software' AND (c.attributes ->> 'seats')::numeric >= 20
           END THEN 'yes' ELSE 'else' END AS port
      FROM due d JOIN contacts c ON c.id = d.contact_id),
moved AS (
    UPDATE workflow_enrolments e
       SET step = CASE j.step WHEN 'branch-6' THEN j.step ELSE 'branch-' || (right(j.step, 1)::int + 1) END,
           state = CASE j.step WHEN 'branch-6' THEN 'completed' ELSE 'active' END,
           exit_reason = CASE j.step WHEN 'branch-6' THEN 'completed' ELSE '' END,
           finished_at = CASE j.step WHEN 'branch-6' THEN now() END, seq = e.seq + 1
      FROM judged j WHERE e.id = j.id)
INSERT INTO workflow_journal
       (enrolment_id, seq, contact_id, version_id, step, step_type, outcome, port, detail, at)
SELECT id, seq + 1, contact_id, version_id, step, 'branch', 'advanced', port, '{}', now() FROM judged
"""


def loop() -> None:
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        while connection.execute(STATEMENT, {"batch": BATCH}).rowcount:
            pass


def main() -> None:
    print(READY, flush=True)
    if sys.stdin.readline().strip() == GO:
        loops = [Process(target=loop) for _ in range(PROCESSES)]
        for process in loops:
            process.start()
        for process in loops:
            process.join()
        print(DONE, flush=True)
        sys.stdin.readline()


if __name__ == "__main__":
    main()
