"""A second look: something happened to a contact that a wait or an exit watches. Whoever must leave leaves; whoever
waits is woken, and the step itself decides whether it has happened."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from contacts import chaos, doorbell
from workflows import admission, versions
from workflows.versions import CompiledVersion
from workflows.watches import exit_rules, exit_sweeping, exits, watch_checks
from workflows.watches.exit_rules import Verdict

BATCH = 500


@dataclass(frozen=True)
class Underway:
    """An unfinished enrolment, locked."""

    id: int
    version_id: int
    step: str
    waiting: bool


def look_batch(lane: str, now: datetime, *, limit: int = BATCH) -> bool:
    """Take contacts off a lane's queue, and look at all their unfinished enrolments, in the caller's transaction.
    Returns whether there were any.

    The enrolments are locked in one statement and judged in the next: a step that is running meanwhile is waited for,
    and none runs after somebody left. Constant statements, and one for each version with exits."""
    assert connection.in_atomic_block, "look_batch needs the caller's transaction"
    contact_ids = watch_checks.claim(lane=lane, now=now, limit=limit)
    if not contact_ids:
        return False
    underway = _lock(contact_ids)
    chaos.point("looking.locked")
    gone = settle(_by_version(underway), now=now)
    _wake([each for each in underway if each.waiting and each.id not in gone], now)
    return True


def work_batch(lane: str, now: datetime) -> bool:
    """What the doorbell asks for: checks first; in the bulk lane also whom time alone takes out."""
    return look_batch(lane, now) or (lane == "bulk" and exit_sweeping.sweep_batch(now))


def lanes_with_work(*, now: datetime) -> list[str]:
    """For the sweep."""
    lanes = watch_checks.due_lanes(now=now)
    if "bulk" not in lanes and exit_sweeping.due(now=now):
        lanes.append("bulk")
    return lanes


def settle(enrolments: Mapping[int, Collection[int]], *, now: datetime) -> set[int]:
    """Whom of these (version id -> enrolment ids, locked or just inserted) the exits of their version take out leaves.
    Returns who left. One statement for each version with exits, and a few more if anybody leaves."""
    verdicts: dict[int, Verdict] = {}
    for version_id, version in sorted(versions.load(enrolments).items()):
        verdicts |= exit_rules.judge(version.exits, version.definition.settings, enrolments[version_id], now=now)
    for reason in sorted({verdict.reason for verdict in verdicts.values()}):
        details = {found: verdict.detail for found, verdict in verdicts.items() if verdict.reason == reason}
        exits.leave(details, reason=reason, now=now, details=details)
    return set(verdicts)


def after_entering(entered: Sequence[tuple[CompiledVersion, int, int, str]], *, now: datetime) -> None:
    """In the transaction that enrols (version, enrolment id, contact id, lane): whoever has reached the goal already
    leaves before the first step; and what happens until the commit is looked for after it."""
    concerned = [each for each in entered if each[0].exits]
    if not concerned:
        return
    by_version: dict[int, list[int]] = {}
    lanes: dict[str, list[int]] = {}
    for version, enrolment_id, contact_id, lane in concerned:
        by_version.setdefault(version.id, []).append(enrolment_id)
        lanes.setdefault(lane, []).append(contact_id)
    settle(by_version, now=now)
    watch_checks.ask(lanes, now=now)


def _lock(contact_ids: list[int]) -> list[Underway]:
    """Their unfinished enrolments in versions that watch anything. Waits for whoever works on one."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT e.id, e.version_id, e.step, e.state = 'waiting' FROM workflow_enrolments e
             WHERE e.contact_id = ANY(%s) AND e.state IN ('pending', 'active', 'waiting')
               AND e.version_id IN (SELECT version_id FROM version_watches)
             ORDER BY e.id FOR UPDATE OF e
            """,
            [contact_ids],
        )
        return [Underway(*row) for row in cursor.fetchall()]


def _by_version(underway: list[Underway]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for each in underway:
        found.setdefault(each.version_id, []).append(each.id)
    return found


def _wake(waiting: list[Underway], now: datetime) -> None:
    """Those who stand at a step that watches something look for themselves. One statement, or none."""
    compiled = versions.load({each.version_id for each in waiting})
    watching = [each.id for each in waiting if compiled[each.version_id].steps[each.step].watches]
    if not watching:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE workflow_enrolments SET wake_at = %s WHERE id = ANY(%s) AND wake_at > %s RETURNING lane, held",
            [now, watching, now],
        )
        woken = cursor.fetchall()
    for lane in sorted({lane for lane, held in woken if not held}):
        doorbell.ring_on_commit("workflows.advance", lane)
    if any(held for _, held in woken):
        admission.ring()
