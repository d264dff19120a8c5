"""Which thresholds of a score somebody watches beside the one for marketing qualification. Such a threshold is crossed
as that one is: with its own side and sequence for each contact, and each crossing told once.

Whoever stands above a threshold when it is first watched has not crossed it. That is settled when the contact is next
compared: by the score that they had when the watching began."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from contacts import doorbell
from scoring.crossings.checks import BELL
from scoring.rulesets.parsing import check_threshold
from scoring.rulesets.rules import LEAD, Ruleset


@dataclass(frozen=True)
class Watched:
    """A threshold that is compared. `since`: when somebody began to watch it (None: nobody does, it is the ruleset's
    own). Who has no side yet stands below the ruleset's own (`is_own`), and at another where their score was then."""

    threshold: float
    since: datetime | None = None
    is_own: bool = False


def declare(owner: str, thresholds: Collection[float], *, now: datetime, name: str = LEAD) -> None:
    """From the commit of the caller's transaction on, exactly these thresholds of the score `name`, and none of another
    score, are watched for this owner; none withdraws it. Raises `rules.BadRules` for what is no threshold. At most
    three statements.

    `owner`: a kind and an id, such as "workflow:12". The caller holds what keeps two of its transactions from declaring
    for one owner at once. A threshold that nobody watched before has everybody compared once more, on the bulk lane."""
    assert connection.in_atomic_block, "declare needs the caller's transaction"
    wanted = sorted({check_threshold(threshold, path="threshold") for threshold in thresholds})
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM score_thresholds WHERE owner = %s AND (score_name <> %s OR threshold <> ALL(%s::float8[]))",
            [owner, name, wanted],
        )
        if not wanted:
            return
        cursor.execute(
            """
            INSERT INTO score_thresholds (owner, score_name, threshold, declared_at)
            SELECT %(owner)s, %(name)s, t.threshold,
                   COALESCE((SELECT min(declared_at) FROM score_thresholds known
                              WHERE known.score_name = %(name)s AND known.threshold = t.threshold), %(now)s)
              FROM unnest(%(wanted)s::float8[]) AS t(threshold)
            ON CONFLICT ON CONSTRAINT an_owner_watches_a_threshold_once DO NOTHING
            RETURNING declared_at = %(now)s
            """,
            {"owner": owner, "name": name, "wanted": wanted, "now": now},
        )
        if any(new for (new,) in cursor.fetchall()):
            cursor.execute(
                "UPDATE scoring_rulesets SET recheck_after = 0, activated_xid = NULL"
                " WHERE state = 'active' AND name = %s",
                [name],
            )
            doorbell.ring_on_commit(BELL, "bulk")


def watched(ruleset: Ruleset) -> list[Watched]:
    """The thresholds at which a score is compared under active rules, their own first. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT threshold, min(declared_at) FROM score_thresholds WHERE score_name = %s"
            " GROUP BY threshold ORDER BY threshold",
            [ruleset.name],
        )
        since = dict(cursor.fetchall())
    own = ruleset.mql_threshold
    others = [Watched(threshold, at) for threshold, at in since.items() if threshold != own]
    return [Watched(own, since.get(own), is_own=True), *others]
