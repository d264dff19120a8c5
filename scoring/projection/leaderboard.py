"""Who has most, and how the scores of everybody are spread.

The first `limit` of a million are found in two looks: at everybody's ceiling, which the index of events tells (see
`everybody.ceilings`), and at the scores of those with the highest ceilings. Where the last of the first has more than
any ceiling that was not looked into, nobody else can be among them. Else more are looked into, and in the end all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from django.db import connection

from contacts.conditions import Condition, Sql, compile_condition
from contacts.conditions.fragment import TRUE
from contacts.conditions.sql import FURTHEST_AHEAD
from contacts.patience import at_most
from scoring.projection import compiler, everybody
from scoring.projection.everybody import TRUE_OF_ANYBODY
from scoring.rulesets import reading
from scoring.rulesets.arithmetic import fold, rules_of, tree_of
from scoring.rulesets.rules import LEAD, Rule, Ruleset

PATIENCE_MS = 30_000  # for each statement
FEW = 2_000  # contacts: asked one by one
LOOKS = (1_000, 16_000)  # ceilings looked into, before everybody is
BANDS = 20
_MARGIN = 10.0**-compiler.DECIMALS  # floats are added in another order, and then rounded
_WORK_MEM = "64MB"  # of sums by contact; the rest of the product does with less


class Row(NamedTuple):
    contact_id: int
    score: float


@dataclass(frozen=True)
class Band:
    """The contacts whose score is at least `low` and below `high`."""

    low: float
    high: float
    contacts: int


@dataclass(frozen=True)
class Distribution:
    """`bands` lie side by side, the lowest first; `qualified` are the contacts at `threshold` or above."""

    bands: tuple[Band, ...]
    contacts: int
    qualified: int
    threshold: float


def top(
    *,
    at: datetime,
    name: str = LEAD,
    ruleset: Ruleset | None = None,
    limit: int = 100,
    among: Condition | None = None,
    patience_ms: int = PATIENCE_MS,
) -> tuple[Row, ...]:
    """The `limit` contacts with the highest scores at `at`, the highest first, the older contact first among equals;
    under `ruleset`, or the active rules of `name` (none: nobody). `among`: only those of whom this condition is true.

    In the caller's transaction. Raises patience.TookTooLong."""
    ruleset = ruleset or reading.active_ruleset(name)
    if ruleset is None or limit < 1:
        return ()
    chosen = TRUE if among is None else compile_condition(among, now=at)
    with _generously(patience_ms):
        if among is not None:
            few = _few(chosen)
            if few is not None:
                return _scored(ruleset, few, chosen, at=at, limit=limit)
        for look in LOOKS if _has_events(ruleset) else ():
            found = _looked_into(ruleset, chosen, at=at, limit=limit, look=max(look, 2 * limit))
            if found is not None:
                return found
        return _rows(_ORDERED, everybody.query(ruleset, at=at, among=chosen), limit)


def distribution(
    *, at: datetime, name: str = LEAD, ruleset: Ruleset | None = None, patience_ms: int = PATIENCE_MS
) -> Distribution | None:
    """How the scores of everybody alive are spread at `at`, in at most BANDS bands of one width: None without rules.
    In the caller's transaction, one pass. Raises patience.TookTooLong."""
    ruleset = ruleset or reading.active_ruleset(name)
    if ruleset is None:
        return None
    scored = everybody.query(ruleset, at=at)
    width = ruleset.mql_threshold / 10
    with _generously(patience_ms), connection.cursor() as cursor:
        cursor.execute(
            "SELECT floor(score / %s::float8)::bigint, count(*), count(*) FILTER (WHERE score >= %s::float8)"
            f" FROM ({scored.text}) scored GROUP BY 1 ORDER BY 1",
            [width, ruleset.mql_threshold, *scored.params],
        )
        counted = cursor.fetchall()
    return Distribution(
        bands=_bands({step: contacts for step, contacts, _ in counted}, width),
        contacts=sum(contacts for _, contacts, _ in counted),
        qualified=sum(qualified for _, _, qualified in counted),
        threshold=ruleset.mql_threshold,
    )


def _bands(by_step: dict[int, int], width: float) -> tuple[Band, ...]:
    """Neighbours put together until there are few enough, and those in between that hold nobody."""
    if not by_step:
        return ()
    factors = (factor * 10**zeros for zeros in range(20) for factor in (1, 2, 5))
    together = next(each for each in factors if max(by_step) // each - min(by_step) // each < BANDS)
    joined = dict.fromkeys(range(min(by_step) // together, max(by_step) // together + 1), 0)
    for step, contacts in by_step.items():
        joined[step // together] += contacts
    return tuple(
        Band(round(step * together * width, 6), round((step + 1) * together * width, 6), contacts)
        for step, contacts in joined.items()
    )


# -- looks -------------------------------------------------------------------------------------------------------------


def _few(chosen: Sql) -> list[int] | None:
    """Those of whom the condition is true, if they are few."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT c.id FROM contacts c WHERE {everybody.ALIVE.text} AND {chosen.text} LIMIT %s",
            [*chosen.params, FEW + 1],
        )
        found = [contact_id for (contact_id,) in cursor.fetchall()]
    return found if len(found) <= FEW else None


def _looked_into(ruleset: Ruleset, chosen: Sql, *, at: datetime, limit: int, look: int) -> tuple[Row, ...] | None:
    """The first `limit`, if those with the highest `look` ceilings tell who they are; None if they do not."""
    ceilings = everybody.ceilings(ruleset, at=at, limit=look, latest=_hardly_anything_after(at))
    with connection.cursor() as cursor:
        cursor.execute(ceilings.text, ceilings.params)
        highest = cursor.fetchall()
    found = _scored(ruleset, [contact_id for contact_id, _ in highest], chosen, at=at, limit=limit)
    out_of_sight = max(_ceiling_of_nothing(ruleset), highest[-1][1] if len(highest) == look else float("-inf"))
    return found if len(found) == limit and found[-1].score > out_of_sight + 2 * _MARGIN else None


def _hardly_anything_after(at: datetime) -> bool:
    """Whether the newest event was recorded before `at`, or a little later; guessed wrong, more is looked into."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT recorded_at FROM contact_events ORDER BY id DESC LIMIT 1")
        newest = cursor.fetchone()
    return newest is None or newest[0] <= at + FURTHEST_AHEAD


def _scored(ruleset: Ruleset, contact_ids: Sequence[int], chosen: Sql, *, at: datetime, limit: int) -> tuple[Row, ...]:
    score = compiler.score(ruleset, at=at, contact="c")
    scored = Sql(
        f"SELECT c.id AS contact_id, {score.text} AS score FROM contacts c"
        f" WHERE c.id = ANY(%s) AND {everybody.ALIVE.text} AND {chosen.text}",
        [*score.params, list(contact_ids), *chosen.params],
    )
    return _rows(_ORDERED, scored, limit)


_ORDERED = "SELECT contact_id, score FROM ({scored}) scored ORDER BY score DESC, contact_id LIMIT %s"


def _rows(statement: str, scored: Sql, limit: int) -> tuple[Row, ...]:
    with connection.cursor() as cursor:
        cursor.execute(statement.format(scored=scored.text), [*scored.params, limit])
        return tuple(Row(*found) for found in cursor.fetchall())


def _has_events(ruleset: Ruleset) -> bool:
    return any(rule.condition is None for rule in rules_of(ruleset))


def _ceiling_of_nothing(ruleset: Ruleset) -> float:
    """The most that somebody can have to whom nothing happened."""
    hopeful = everybody.ceiling(ruleset)
    given = [_within_cap(rule, rule.points if rule.condition == TRUE_OF_ANYBODY else 0.0) for rule in rules_of(hopeful)]
    return fold(tree_of(hopeful), given, add=sum, bound=_bounded, scale=lambda value, weight: value * weight)


def _within_cap(rule: Rule, points: float) -> float:
    return points if rule.cap is None else _bounded(points, rule.cap)


def _bounded(value: float, cap: float) -> float:
    return max(-cap, min(cap, value))


@contextmanager
def _generously(patience_ms: int) -> Iterator[None]:
    """Statements over everybody: given up in time, with memory for the sums, and run as they are (compiling one for
    each partition takes longer than it saves)."""
    with at_most(patience_ms), connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('work_mem'), current_setting('jit')")
        usual = cursor.fetchone()
        settle = "SELECT set_config('work_mem', %s, TRUE), set_config('jit', %s, TRUE)"
        cursor.execute(settle, [_WORK_MEM, "off"])
        yield
        cursor.execute(settle, usual)
