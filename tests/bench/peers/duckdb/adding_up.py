"""One turn of DuckDB in the scoring bench: the rows are in its memory, in columns, before the turn begins.
`python adding_up.py EVENTS PEOPLE AT RESULT` (two CSV files, the instant as seconds since 1970, where the answer goes).
Nothing of the product is imported."""

from __future__ import annotations

import json
import sys
from pathlib import Path

QUERY = """
WITH rules(id, type, points, curve, seconds, cap, people, asked) AS (VALUES
    (1, 'page_viewed', 1, 'half_life', 14 * 86400, NULL, false, NULL),
    (2, 'product_used', 3, 'half_life', 7 * 86400, 30, false, NULL),
    (3, 'email_opened', 2, 'half_life', 30 * 86400, NULL, true, NULL),
    (4, 'email_clicked', 5, 'half_life', 30 * 86400, NULL, true, NULL),
    (5, 'form_submitted', 25, 'half_life', 60 * 86400, NULL, false, 'demo'),
    (6, 'trial_started', 40, 'linear', 60 * 86400, NULL, false, NULL),
    (7, 'email_unsubscribed', -20, 'none', 1, NULL, false, NULL))
SELECT contact_id, sum(points) AS score FROM (
    SELECT e.contact_id, greatest(-coalesce(r.cap, 1e300), least(coalesce(r.cap, 1e300), sum(r.points * CASE r.curve
               WHEN 'half_life' THEN power(2::double, -($at - e.at) / r.seconds)
               WHEN 'linear' THEN greatest(0::double, 1 - ($at - e.at) / r.seconds)
               ELSE 1::double END))) AS points
      FROM events e JOIN rules r ON r.type = e.type
     WHERE e.processed AND e.at <= $at AND (NOT r.people OR NOT e.machine) AND (r.asked IS NULL OR e.form = r.asked)
     GROUP BY e.contact_id, r.id, r.cap
    UNION ALL
    SELECT id, 15 FROM people WHERE job_title ILIKE '%director%') gained
 GROUP BY contact_id ORDER BY score DESC, contact_id LIMIT 100
"""


def main() -> None:
    import duckdb  # type: ignore[import-not-found, unused-ignore]

    events, people, at, result = sys.argv[1:5]
    memory = duckdb.connect(":memory:")
    memory.execute("CREATE TABLE events AS SELECT * FROM read_csv(?)", [events])
    memory.execute("CREATE TABLE people AS SELECT * FROM read_csv(?)", [people])
    print("ready", flush=True)
    if sys.stdin.readline().strip() == "go":
        rows = memory.execute(QUERY, {"at": float(at)}).fetchall()
        print("done", flush=True)
        Path(result).write_text(json.dumps(rows))
        sys.stdin.readline()  # stays until its cost was read


if __name__ == "__main__":
    main()
