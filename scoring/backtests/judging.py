"""What two versions of the rules would have said of a page of contacts, instant by instant, in two statements.

The score is the projection's own SQL, compiled once and asked for every instant (see `moving`). A contact's events are
read once: inside the statement, `contact_events` is the name of what was read of that contact, so that the projection,
and whatever conditions count, go through a handful of rows in memory instead of through the log again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from django.conf import settings
from django.db import connection

from contacts.conditions import Sql
from contacts.conditions.fragment import fill
from scoring.backtests import conversions
from scoring.backtests.conversions import Conversion
from scoring.backtests.judges import Judges
from scoring.backtests.rising import Rising, rising, step_of
from scoring.projection import compiler
from scoring.projection.moving import MOVING, over
from scoring.rulesets.rules import Ruleset

MOST_INSTANTS = 1000  # of one contact
WEIGHT = 1_000_000  # instants times events that one statement goes through: a second or two
A_LOOK = 10  # what an instant costs without any event, in events


@dataclass(frozen=True)
class Trial:
    """Who judges whom between which instants (both included), and what counts as success."""

    judges: Judges
    conversion: Conversion
    since: datetime
    until: datetime

    @cached_property
    def rising(self) -> Rising:
        return rising(self.rulesets)

    @property
    def rulesets(self) -> tuple[Ruleset, ...]:
        active = self.judges.active
        return (self.judges.tried,) if active is None else (self.judges.tried, active)


@dataclass(frozen=True)
class Case:
    """A contact who did something between the instants, or converted. `instants`: at about how many of them the score
    has to be looked at; `events`: how many events each look goes through."""

    contact_id: int
    converted_at: datetime | None
    instants: int
    events: int

    @property
    def looks(self) -> int:
        """At so many instants at most."""
        return min(MOST_INSTANTS, max(1, WEIGHT // max(1, self.events)))

    @property
    def weight(self) -> int:
        return min(self.instants, self.looks) * (self.events + A_LOOK)


@dataclass(frozen=True)
class Verdict:
    """`crossed_at`: the first instant at which the score under the tried version had reached its threshold; `before`
    the same under the active one. `best`: the highest score under the tried version before the conversion. `cut`:
    there were more instants than `Case.looks`, and the score was looked at after the first ones only."""

    contact_id: int
    converted_at: datetime | None
    crossed_at: datetime | None
    before: datetime | None
    best: float
    cut: bool


def cases(trial: Trial, *, after: int, limit: int) -> tuple[list[Case], list[int]]:
    """Of the next `limit` living contacts after the id `after`: those to judge, and the ids of all. One statement."""
    rising = trial.rising
    given = {
        "converts": conversions.test_of_event(trial.conversion, now=trial.until, contact="c", event="e"),
        "moved": conversions.first_move(trial.conversion, since=trial.since, until=trial.until, contact="c"),
        "matters": _matters(rising, "e"),
        "since": Sql("%s::timestamptz", [trial.since]),
        "until": Sql("%s::timestamptz", [trial.until]),
        "after": Sql("%s", [after]),
        "limit": Sql("%s", [limit]),
    }
    statement = fill(
        """
        SELECT c.id, LEAST({moved}, seen.converted_at), seen.instants, seen.events,
               seen.did OR {moved} IS NOT NULL
          FROM contacts c
         CROSS JOIN LATERAL (
               SELECT count(*) FILTER (WHERE {matters}) AS events,
                      count(*) FILTER (WHERE {matters} AND e.occurred_at > {since}) AS instants,
                      COALESCE(bool_or(e.occurred_at >= {since}), FALSE) AS did,
                      min(e.occurred_at) FILTER (WHERE e.occurred_at >= {since} AND {converts}) AS converted_at
                 FROM contact_events e
                WHERE e.contact_id = c.id AND e.processed AND e.occurred_at <= {until}) seen
         WHERE c.id > {after} AND c.merged_into_id IS NULL AND c.erased_at IS NULL
         ORDER BY c.id LIMIT {limit}
        """,
        **given,
    )
    with connection.cursor() as cursor:
        cursor.execute(statement.text, statement.params)
        rows = cursor.fetchall()
    more = 1 if rising.is_exact else int((trial.until - trial.since) / _step(trial)) + 3
    found = [
        Case(contact_id, converted_at, instants + len(rising.ends) * events + more, events)
        for contact_id, converted_at, instants, events, did in rows
        if did
    ]
    return found, [row[0] for row in rows]


def judge(trial: Trial, found: Sequence[Case]) -> list[Verdict]:
    """What both versions would have said of these contacts. One statement."""
    if not found:
        return []
    statement = _statement(trial, found)
    with connection.cursor() as cursor:
        cursor.execute(statement.text, statement.params)
        return [Verdict(*row) for row in cursor.fetchall()]


def _statement(trial: Trial, found: Sequence[Case]) -> Sql:
    judges, rising = trial.judges, trial.rising
    who = "who" if rising.attributes else "c"
    return fill(
        """
        SELECT c.id, given.converted_at, said.crossed_at, said.before, COALESCE(said.best, 0), said.cut
          FROM unnest({ids}::bigint[], {converted}::timestamptz[], {looks}::integer[])
               AS given(id, converted_at, looks)
          JOIN contacts c ON c.id = given.id
         CROSS JOIN LATERAL (
               WITH contact_events AS MATERIALIZED (
                    SELECT e.* FROM contact_events e
                     WHERE e.contact_id = c.id AND e.processed AND e.occurred_at <= {until} AND {matters}),
                    instants AS MATERIALIZED (
                    SELECT DISTINCT occasion.at FROM ({occasions}) occasion
                     WHERE occasion.at BETWEEN {since} AND {until} ORDER BY occasion.at LIMIT given.looks + 1),
                    judged AS (
                    SELECT looked.at, {tried} AS tried, {active} AS active
                      FROM (SELECT at FROM instants ORDER BY at LIMIT given.looks) looked {then})
               SELECT min(at) FILTER (WHERE tried >= {threshold}) AS crossed_at,
                      min(at) FILTER (WHERE active >= {level}) AS before,
                      max(tried) FILTER (WHERE given.converted_at IS NULL OR at < given.converted_at) AS best,
                      (SELECT count(*) FROM instants) > given.looks AS cut
                 FROM judged) said
        """,
        ids=Sql("%s", [[case.contact_id for case in found]]),
        converted=Sql("%s", [[case.converted_at for case in found]]),
        looks=Sql("%s", [[case.looks for case in found]]),
        tried=_score(judges.tried, who),
        active=Sql("NULL::float8", []) if judges.active is None else _score(judges.active, who),
        threshold=Sql("%s::float8", [judges.threshold]),
        level=Sql("%s::float8", [judges.active.mql_threshold if judges.active else 0.0]),
        since=Sql("%s::timestamptz", [trial.since]),
        until=Sql("%s::timestamptz", [trial.until]),
        matters=_matters(rising, "e"),
        occasions=_occasions(trial),
        then=Sql(_ATTRIBUTES_OF_THEN if rising.attributes else "", []),
    )


# A contact's attributes as they were at an instant: what was changed later is taken back. (What somebody was created
# with was never a change: of the time before we knew them, we know what we were told first.)
_ATTRIBUTES_OF_THEN = """
    CROSS JOIN LATERAL (
          SELECT (c.attributes - COALESCE(array_agg(later.name), '{}'::text[]))
                 || COALESCE(jsonb_object_agg(later.name, later.old) FILTER (WHERE later.old IS NOT NULL), '{}'::jsonb)
                 AS attributes
            FROM (SELECT DISTINCT ON (change.name) change.name, change.old FROM contact_changes change
                   WHERE change.contact_id = c.id AND change.kind = 'attribute' AND change.changed_at > looked.at
                   ORDER BY change.name, change.changed_at, change.id) later) known
    CROSS JOIN LATERAL jsonb_populate_record(c, jsonb_build_object('attributes', known.attributes)) who
"""


def _occasions(trial: Trial) -> Sql:
    """The instants at which a score may be higher than just before, as rows `at`; see `rising`."""
    rising = trial.rising
    occasions = [
        Sql("SELECT %s::timestamptz AS at", [trial.since]),
        Sql("SELECT occurred_at FROM contact_events", []),
    ]
    if rising.attributes:
        changed = "SELECT changed_at FROM contact_changes WHERE contact_id = c.id AND kind = 'attribute'"
        occasions.append(Sql(changed, []))
    for kind, seconds in sorted(rising.ends):
        given_back = "SELECT occurred_at + %s::interval FROM contact_events WHERE type = %s"
        occasions.append(Sql(given_back, [timedelta(seconds=seconds), kind]))
    if not rising.is_exact:
        regularly = Sql(
            "SELECT * FROM generate_series(%s::timestamptz, %s::timestamptz, %s::interval)",
            [trial.since, trial.until, _step(trial)],
        )
        before_success = Sql("SELECT given.converted_at - interval '1 microsecond'", [])
        for each in (regularly, before_success):
            if rising.by_time:
                occasions.append(each)
            else:
                some = Sql("EXISTS (SELECT FROM contact_events WHERE type = ANY(%s))", [sorted(rising.curves)])
                occasions.append(fill("SELECT * FROM ({each}) AS each WHERE {some}", each=each, some=some))
    return Sql(
        " UNION ALL ".join(occasion.text for occasion in occasions),
        [param for occasion in occasions for param in occasion.params],
    )


def _score(ruleset: Ruleset, contact: str) -> Sql:
    return over(compiler.score(ruleset, at=MOVING, contact=contact), "looked.at")


def _step(trial: Trial) -> timedelta:
    return step_of(trial.until - trial.since, speed=settings.TIME_SPEED)


def _matters(rising: Rising, event: str) -> Sql:
    """Whether an event can move any score."""
    return Sql("TRUE", []) if rising.types is None else Sql(f"{event}.type = ANY(%s)", [sorted(rising.types)])
