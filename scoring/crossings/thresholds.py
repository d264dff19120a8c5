"""Which thresholds of the lead score somebody watches beside the one for marketing qualification. Such a threshold is
crossed as that one is: with its own side and sequence for each contact, and each crossing told once.

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
from scoring.rulesets.rules import LEAD


@dataclass(frozen=True)
class Watched:
    """A threshold of a ruleset. `since`: when somebody began to watch it, where that was after the ruleset became
    active (who has no side yet stood where their score was then); None: who has no side stands below."""

    threshold: float
    since: datetime | None = None


def declare(owner: str, thresholds: Collection[float], *, now: datetime) -> None:
    """From the commit of the caller's transaction on, exactly these thresholds of the lead score are watched for this
    owner; none withdraws it. Raises `rules.BadRules` for what is no threshold. At most three statements.

    `owner`: a kind and an id, such as "workflow:12". The caller holds what keeps two of its transactions from declaring
    for one owner at once. A threshold that nobody watched before has everybody compared once more, on the bulk lane."""
    assert connection.in_atomic_block, "declare needs the caller's transaction"
    wanted = sorted({check_threshold(threshold, path="threshold") for threshold in thresholds})
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM score_thresholds WHERE owner = %s AND threshold <> ALL(%s::float8[])", [owner, wanted]
        )
        if not wanted:
            return
        cursor.execute(
            """
            INSERT INTO score_thresholds (owner, threshold, declared_at)
            SELECT %(owner)s, t.threshold, COALESCE((SELECT min(declared_at) FROM score_thresholds known
                                                      WHERE known.threshold = t.threshold), %(now)s)
              FROM unnest(%(wanted)s::float8[]) AS t(threshold)
            ON CONFLICT ON CONSTRAINT an_owner_watches_a_threshold_once DO NOTHING
            RETURNING declared_at = %(now)s
            """,
            {"owner": owner, "wanted": wanted, "now": now},
        )
        if any(new for (new,) in cursor.fetchall()):
            cursor.execute(
                "UPDATE scoring_rulesets SET recheck_after = 0, activated_xid = NULL"
                " WHERE state = 'active' AND name = %s",
                [LEAD],
            )
            doorbell.ring_on_commit(BELL, "bulk")


def watched(ruleset_id: int, name: str, mql_threshold: float) -> list[Watched]:
    """The thresholds of an active ruleset, that of marketing qualification first. One statement, or none."""
    own = Watched(mql_threshold)
    if name != LEAD:
        return [own]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT t.threshold, CASE WHEN min(t.declared_at) > s.activated_at THEN min(t.declared_at) END
              FROM score_thresholds t JOIN scoring_rulesets s ON s.id = %s
             WHERE t.threshold <> %s GROUP BY t.threshold, s.activated_at ORDER BY t.threshold
            """,
            [ruleset_id, mql_threshold],
        )
        return [own, *(Watched(threshold, since) for threshold, since in cursor.fetchall())]
