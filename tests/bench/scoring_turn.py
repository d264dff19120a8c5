"""One turn of the scoring bench in a process of its own: `python -m tests.bench.scoring_turn DEED RESULT [COUNT]`. It
says `ready`, begins at a line on its input, says `done` and writes what it found to the file RESULT, as JSON.

DEED: rules (activate them) · top (the first hundred of everybody) · join (the same by the plain join) · one (COUNT
contacts, one after another) · many (COUNT times five hundred): milliseconds of each statement, as PostgreSQL tells
them, to plan and to run it."""

from __future__ import annotations

import json
import os
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.bench import scoring_data
from tests.bench.turn import take_turn

AT = scoring_data.NOW


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django

    django.setup()
    from django.db import connection

    connection.ensure_connection()
    deed, result = sys.argv[1], Path(sys.argv[2])
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    work: dict[str, Callable[[], Any]] = {
        "rules": _activate,
        "top": _top,
        "join": _join,
        "one": lambda: _times(count, 1),
        "many": lambda: _times(count, 500),
    }
    take_turn(lambda: result.write_text(json.dumps(work[deed]())))


def _activate() -> None:
    from contacts import transactions
    from scoring.rulesets import versions

    transactions.run(lambda now: versions.activate(rules=scoring_data.RULES, now=now, by="bench"))


def _top() -> list[Any]:
    from contacts import transactions
    from scoring.projection import leaderboard

    return [list(row) for row in transactions.run(lambda now: leaderboard.top(at=AT))]


def _join() -> list[Any]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")  # the product's sessions would give it up
        cursor.execute(scoring_data.JOIN)
        return cursor.fetchall()


def _times(count: int, size: int) -> list[float]:
    from django.db import connection

    from scoring.projection import compiler
    from scoring.rulesets import reading

    ruleset = reading.active_ruleset("lead")
    assert ruleset is not None
    score = compiler.score(ruleset, at=AT, contact="c")
    dice, taken = random.Random(1), []
    with connection.cursor() as cursor:
        cursor.execute("SELECT max(id) FROM contacts")
        (most,) = cursor.fetchone()
        for _ in range(count):
            ids = [dice.randint(1, most) for _ in range(size)]
            statement = f"SELECT c.id, {score.text} FROM contacts c WHERE c.id = ANY(%s)"
            cursor.execute(f"EXPLAIN (ANALYZE, TIMING OFF, BUFFERS OFF, FORMAT JSON) {statement}", [*score.params, ids])
            told = cursor.fetchone()[0]
            (plan,) = json.loads(told) if isinstance(told, str) else told
            taken.append(plan["Planning Time"] + plan["Execution Time"])
    return taken


if __name__ == "__main__":
    main()
