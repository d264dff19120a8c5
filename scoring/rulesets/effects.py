"""What rules that somebody is writing would do: to a few contacts while they are written, and to everybody before they
become active. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from contacts.conditions import Sql
from contacts.conditions.fragment import fill
from contacts.patience import row_within
from scoring.projection import compiler, everybody, scores
from scoring.rulesets import reading
from scoring.rulesets.rules import Ruleset, Written

SHOWN = 10  # contacts that the editor shows
CANDIDATES = 400  # of each kind, among whom they are chosen
TOP, LOWEST, NEAR = 2, 2, 3  # of the ten: the highest, the lowest below 0, and on each side of the threshold
PATIENCE_MS = 3000  # for everybody
GUESSED_FROM = 3000  # contacts that an estimate looks at


@dataclass(frozen=True)
class Effect:
    """A contact's score as it is and as it would be. `crosses`: "up" or "down" where the new rules would put the
    contact on another side of the threshold, else empty."""

    contact_id: int
    before: float
    after: float
    crosses: str


@dataclass(frozen=True)
class Consequences:
    """How many contacts would rise above the threshold and fall below it; None where even an estimate took too long.
    `looked_at` of `contacts` were asked: all of them unless `estimated`."""

    rise: int | None
    fall: int | None
    estimated: bool
    looked_at: int
    contacts: int


def ruleset_of(written: Written) -> Ruleset:
    """Rules that are not stored, so that scores can be asked for under them. One statement, or none."""
    return reading.combined(
        Ruleset(
            ruleset_id=0,
            name=written.name,
            version=0,
            mql_threshold=written.settings.mql_threshold,
            rules=written.rules,
            settings=written.settings,
        )
    )


def effect(written: Written, *, contact_ids: Sequence[int], now: datetime) -> tuple[Effect, ...]:
    """What becomes of these contacts under these rules, in the order given; ids that are nobody's are left out. A
    constant number of statements."""
    active, draft = reading.active_ruleset(written.name), ruleset_of(written)
    before = scores.of(contact_ids=contact_ids, at=now, name=written.name)
    after = scores.under(draft, contact_ids=contact_ids, at=now)
    above = _above(active, contact_ids) if active else set()
    return tuple(
        Effect(
            contact_id, before[contact_id], after[contact_id], _crosses(contact_id in above, after[contact_id], draft)
        )
        for contact_id in dict.fromkeys(contact_ids)
        if contact_id in before and contact_id in after
    )


def telling(written: Written, *, now: datetime) -> tuple[int, ...]:
    """Up to SHOWN contacts who tell something about a score: the nearest to its threshold on both sides, the highest,
    and some below 0. They are chosen by the active rules (by the written ones, where there are none) among those who
    stand above, those who did something lately and the newest, so that the choice costs the same however many contacts
    there are. A constant number of statements."""
    ruleset = reading.active_ruleset(written.name) or ruleset_of(written)
    found = scores.under(ruleset, contact_ids=_candidates(ruleset), at=now)
    ranked = sorted(found, key=lambda contact_id: (-found[contact_id], contact_id))
    reached = [contact_id for contact_id in ranked if found[contact_id] >= ruleset.mql_threshold]
    below = [contact_id for contact_id in ranked if 0 <= found[contact_id] < ruleset.mql_threshold]
    negative = [contact_id for contact_id in ranked if found[contact_id] < 0]
    chosen = dict.fromkeys((*ranked[:TOP], *reached[-NEAR:], *below[:NEAR], *negative[-LOWEST:]))
    for contact_id in (*below, *reversed(reached), *negative):
        if len(chosen) >= SHOWN:
            break
        chosen.setdefault(contact_id)
    return tuple(sorted(chosen, key=lambda contact_id: (-found[contact_id], contact_id)))[:SHOWN]


def consequences(written: Written, *, now: datetime) -> Consequences:
    """How many of all contacts would change sides, in the caller's transaction: counted within PATIENCE_MS, else
    estimated from a random sample within as long again."""
    assert connection.in_atomic_block, "consequences needs the caller's transaction"
    active, draft = reading.active_ruleset(written.name), ruleset_of(written)
    asked = _changing(active, draft, everybody.query(draft, at=now))
    row = row_within(PATIENCE_MS, asked.text, asked.params)
    if row is not None:
        return Consequences(rise=row[0], fall=row[1], estimated=False, looked_at=row[2], contacts=row[2])
    contacts = _known_contacts()
    share = min(1.0, GUESSED_FROM / max(contacts, 1))
    asked = _changing(active, draft, _some(draft, now, share))
    row = row_within(PATIENCE_MS, asked.text, asked.params)
    if row is None or not row[2]:
        return Consequences(rise=None, fall=None, estimated=True, looked_at=0, contacts=contacts)
    rise, fall, looked_at = row
    whole = contacts / looked_at
    return Consequences(round(rise * whole), round(fall * whole), True, looked_at, contacts)


def _changing(active: Ruleset | None, draft: Ruleset, scored: Sql) -> Sql:
    """A query for (rise, fall, contacts) of `scored`, a query of (contact_id, score)."""
    return fill(
        "SELECT count(*) FILTER (WHERE side.contact_id IS NULL AND score >= {reached}), "
        "count(*) FILTER (WHERE side.contact_id IS NOT NULL AND score < {left}), count(*) "
        "FROM ({scored}) scored LEFT JOIN score_sides side ON side.contact_id = scored.contact_id "
        "AND side.score_name = {name} AND side.threshold = {threshold} AND side.above",
        reached=Sql("%s::float8", [draft.mql_threshold]),
        left=Sql("%s::float8", [_left(draft)]),
        scored=scored,
        name=Sql("%s", [draft.name]),
        threshold=Sql("%s::float8", [active.mql_threshold if active else draft.mql_threshold]),
    )


def _some(draft: Ruleset, now: datetime, share: float) -> Sql:
    """The scores of the contacts on a random share of the table's pages."""
    return fill(
        "SELECT c.id AS contact_id, {score} AS score FROM contacts AS c TABLESAMPLE SYSTEM ({share}) WHERE {alive}",
        score=compiler.score(draft, at=now, contact="c"),
        share=Sql("%s", [100 * share]),
        alive=everybody.ALIVE,
    )


def _left(draft: Ruleset) -> float:
    """Who is above falls when the score is lower than this."""
    return round(draft.mql_threshold * (1 - draft.settings.hysteresis), compiler.DECIMALS)


def _crosses(above: bool, score: float, draft: Ruleset) -> str:
    if above:
        return "down" if score < _left(draft) else ""
    return "up" if score >= draft.mql_threshold else ""


def _above(active: Ruleset, contact_ids: Sequence[int]) -> set[int]:
    """Who stands above the threshold that holds now."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT contact_id FROM score_sides WHERE contact_id = ANY(%s) AND score_name = %s AND threshold = %s "
            "AND above",
            [list(contact_ids), active.name, active.mql_threshold],
        )
        return {contact_id for (contact_id,) in cursor.fetchall()}


def _candidates(ruleset: Ruleset) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT c.id FROM contacts c WHERE c.merged_into_id IS NULL AND c.erased_at IS NULL AND c.id IN (
                (SELECT contact_id FROM score_sides
                  WHERE score_name = %(name)s AND threshold = %(threshold)s AND above LIMIT %(most)s)
                UNION (SELECT contact_id FROM (SELECT contact_id FROM contact_events
                  ORDER BY id DESC LIMIT %(events)s) latest LIMIT %(most)s)
                UNION (SELECT id FROM contacts ORDER BY id DESC LIMIT %(most)s))
            """,
            {
                "name": ruleset.name,
                "threshold": ruleset.mql_threshold,
                "most": CANDIDATES,
                "events": CANDIDATES * 5,
            },
        )
        return [contact_id for (contact_id,) in cursor.fetchall()]


def _known_contacts() -> int:
    """How many there are, as the database's statistics have it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT GREATEST(reltuples, 0)::bigint FROM pg_class WHERE oid = 'contacts'::regclass")
        return int(cursor.fetchone()[0])
