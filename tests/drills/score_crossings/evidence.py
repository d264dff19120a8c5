"""What a run leaves: everything that is judged, read in one snapshot. Times are microseconds since 1970."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.drills.rig.record import read_lines
from tests.drills.rig.stage import Stage
from tests.drills.score_crossings.rules import SECOND, VERSIONS, Event, Person

MICROSECONDS = "(EXTRACT(epoch FROM {}) * 1000000)::bigint"
Span = tuple[int, int]  # from one instant to another
LEAST_SOON = SECOND  # a crossing by decay is known to a second


@dataclass(frozen=True)
class Crossing:
    """`done`: when its transaction was committed."""

    contact_id: int
    threshold: float
    seq: int
    upward: bool
    score: float
    ruleset_id: int
    at: int
    done: int


@dataclass(frozen=True)
class Version:
    """An activation of the rules of that title."""

    ruleset_id: int
    title: str
    at: int


@dataclass(frozen=True)
class Evidence:
    """`at` is the instant of the snapshot; `soon` who is due then or within a second; `told` the news, `moves` what was
    moved to `mql`, `entries` how often somebody entered the journey, `stages` where people had been put before the
    run."""

    at: int
    people: Mapping[int, Person]
    versions: Sequence[Version]
    crossings: Mapping[int, Sequence[Crossing]]
    sides: Mapping[tuple[int, float], tuple[bool, int]]
    soon: frozenset[int]
    told: Sequence[tuple[Any, ...]]
    moves: Sequence[tuple[Any, ...]]
    entries: Mapping[int, int]
    stages: Mapping[int, str]

    def title(self, ruleset_id: int) -> str:
        return next(version.title for version in self.versions if version.ruleset_id == ruleset_id)

    def active_at(self, at: int) -> Version:
        """The first one before there was any."""
        return next((version for version in reversed(self.versions) if version.at <= at), self.versions[0])


def read(scene: Stage) -> Evidence:
    acknowledged = _acknowledged(scene)
    with scene.servers.connect(scene.database) as connection:
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")

        def rows(query: str, *params: Any) -> list[tuple[Any, ...]]:
            return connection.execute(query, params).fetchall()

        at = rows(f"SELECT {MICROSECONDS.format('now()')}")[0][0]
        events: dict[int, list[Event]] = defaultdict(list)
        for contact_id, type_, happened, key, lane in rows(
            f"""
            SELECT contact_id, type, {MICROSECONDS.format("occurred_at")}, properties ->> 'key', properties ->> 'lane'
              FROM contact_events WHERE source = 'api' ORDER BY occurred_at, id
            """
        ):
            events[contact_id].append(Event(type_, happened, acknowledged.get(key), lane))
        crossings: dict[int, list[Crossing]] = defaultdict(list)
        for row in rows(
            f"""
            SELECT contact_id, threshold, seq, upward, score, ruleset_id, {MICROSECONDS.format("crossed_at")},
                   {MICROSECONDS.format("pg_xact_commit_timestamp(xmin)")}
              FROM score_crossings ORDER BY contact_id, threshold, seq
            """
        ):
            crossings[row[0]].append(Crossing(*row))
        return Evidence(
            at=at,
            people={
                contact_id: Person(plan, events[contact_id])
                for contact_id, plan in rows("SELECT id, attributes ->> 'plan' FROM contacts")
            },
            versions=[
                Version(*row)
                for row in rows(
                    f"""
                    SELECT id, title, {MICROSECONDS.format("activated_at")} FROM scoring_rulesets
                     WHERE title = ANY(%s) AND activated_at IS NOT NULL ORDER BY activated_at, id
                    """,
                    list(VERSIONS),
                )
            ],
            crossings=crossings,
            sides={
                (contact_id, threshold): (above, seq)
                for contact_id, threshold, above, seq in rows(
                    "SELECT contact_id, threshold, above, seq FROM score_sides WHERE score_name = 'lead'"
                )
            },
            soon=frozenset(
                contact_id
                for (contact_id,) in rows(
                    f"SELECT contact_id FROM score_checks WHERE {MICROSECONDS.format('check_at')} <= %s",
                    at + LEAST_SOON,
                )
            ),
            told=rows(
                f"""
                SELECT contact_id, (properties ->> 'threshold')::float8, properties ->> 'direction' = 'up',
                       (properties ->> 'score')::float8, {MICROSECONDS.format("occurred_at")}
                  FROM contact_events WHERE type = 'score_threshold_crossed'
                """
            ),
            moves=rows(
                f"""
                SELECT contact_id, from_stage, to_stage, source, {MICROSECONDS.format("occurred_at")}
                  FROM lifecycle_events WHERE source <> 'admin'
                """
            ),
            entries=dict(rows("SELECT contact_id, count(*) FROM workflow_enrolments GROUP BY 1")),
            stages=dict(rows("SELECT contact_id, to_stage FROM lifecycle_events WHERE source = 'admin'")),
        )


def _acknowledged(scene: Stage) -> dict[str, int]:
    """When each event was acknowledged for the first time, from the clock of the clients to that of the database."""
    ahead = time.time() - time.monotonic()
    first: dict[str, int] = {}
    for ack in read_lines(scene.directory / "events_acks.jsonl"):
        for key in ack["keys"]:
            first.setdefault(key, round((ack["acked_at"] + ahead) * SECOND))
    return first
