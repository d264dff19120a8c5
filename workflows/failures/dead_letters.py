"""Dead letters: enrolments that failed at a step, and what a person decides about them. Retry runs the step again, skip
goes on behind it, exit lets them leave for good. One by one or hundreds at once: the same statements."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.db import IntegrityError, connection, transaction

from contacts import authority, doorbell
from contacts.privacy import restricting
from delivery import outbox
from workflows import admission, condition_nodes, moves, signals, variants, versions
from workflows.moves import Batch, Claimed
from workflows.signals import Moved
from workflows.steps.base import Advance

DEEDS = {"retry": "retried", "skip": "skipped", "exit": "exited"}
AT_ONCE = 500
NOT_TWICE = "one_active_enrolment_per_contact_workflow_and_key"
REASON = "failed"  # why those leave who are let go here


@dataclass(frozen=True)
class Which:
    """Those open letters to which all of this applies."""

    workflow_id: int | None = None
    step: str = ""
    category: str = ""
    ids: Collection[int] | None = None


@dataclass(frozen=True)
class Resolved:
    """`done`: how many went the way that was asked for. `refused`: how many stay where they are, by reason:
    resolved_before · moved_on · already_under_way · workflow_archived · not_allowed (erased or restricted)."""

    done: int = 0
    refused: Counter[str] = field(default_factory=Counter)

    def __add__(self, other: Resolved) -> Resolved:
        return Resolved(self.done + other.done, self.refused + other.refused)


@dataclass(frozen=True)
class _Letter:
    id: int
    enrolment_id: int
    version_id: int
    workflow_id: int
    contact_id: int
    step: str
    seq: int
    lane: str
    capped: bool
    trigger: str
    entered_at: datetime
    waiting_since: datetime | None
    refusal: str


def open_ids(which: Which, *, after: int = 0, limit: int = AT_ONCE) -> list[int]:
    """The next open letters, by age."""
    texts, params = _where(which)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id FROM dead_letters WHERE state = 'open' AND id > %s{texts} ORDER BY id LIMIT %s",
            [after, *params, limit],
        )
        return [letter_id for (letter_id,) in cursor.fetchall()]


def count_open(which: Which) -> int:
    texts, params = _where(which)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM dead_letters WHERE state = 'open'{texts}", params)
        return cursor.fetchone()[0]


def slices(which: Which) -> Iterator[list[int]]:
    """Every open letter once, AT_ONCE at a time; those that are refused are not met again."""
    last = 0
    while ids := open_ids(which, after=last):
        last = ids[-1]
        yield ids


def resolve(ids: Sequence[int], *, deed: str, by: str, now: datetime) -> Resolved:
    """`deed` (retry · skip · exit) for these letters, at most AT_ONCE of them. Call inside a transaction.

    A constant number of statements, and what the engine's moves cost for skipping. Whoever entered the same workflow
    again meanwhile is refused: nobody is in it twice."""
    assert deed in DEEDS and len(ids) <= AT_ONCE
    authority.require("workflows.change_deadletter", "workflows.publish_workflow")
    for _ in range(3):
        try:
            with transaction.atomic():
                return _resolve(ids, deed, by, now)
        except IntegrityError as error:
            if NOT_TWICE not in str(error):
                raise  # else they entered again at this very moment: the next look sees it
    return Resolved(refused=Counter(already_under_way=len(ids)))


def _where(which: Which) -> tuple[str, list[Any]]:
    given = [
        (" AND workflow_id = %s", which.workflow_id),
        (" AND step = %s", which.step or None),
        (" AND category = %s", which.category or None),
        (" AND id = ANY(%s)", None if which.ids is None else list(which.ids)),
    ]
    return "".join(text for text, value in given if value is not None), [v for _, v in given if v is not None]


def _resolve(ids: Sequence[int], deed: str, by: str, now: datetime) -> Resolved:
    letters = _lock(ids)
    refused = Counter(letter.refusal for letter in letters if letter.refusal and not _may_leave(letter, deed))
    if missing := len(set(ids)) - len(letters):
        refused["resolved_before"] += missing
    going = [letter for letter in letters if not letter.refusal or _may_leave(letter, deed)]
    if not going:
        return Resolved(refused=refused)
    {"retry": _retry, "skip": _skip, "exit": _exit}[deed](going, now)
    signals.enrolments_moved.send(sender=None, deltas=_moved(going, "failed", -1), now=now)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE dead_letters SET state = %s, resolved_at = %s, resolved_by = %s WHERE id = ANY(%s)",
            [DEEDS[deed], now, by[:200], [letter.id for letter in going]],
        )
    return Resolved(len(going), refused)


def _may_leave(letter: _Letter, deed: str) -> bool:
    """Leaving needs no place in the workflow."""
    return deed == "exit" and letter.refusal != "moved_on"


def _lock(ids: Sequence[int]) -> list[_Letter]:
    """The open letters with their enrolments, locked in one statement and read in the next."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT l.id FROM dead_letters l JOIN workflow_enrolments e ON e.id = l.enrolment_id
             WHERE l.id = ANY(%s) AND l.state = 'open' ORDER BY l.enrolment_id FOR UPDATE OF l, e
            """,
            [list(ids)],
        )
        mine = [letter_id for (letter_id,) in cursor.fetchall()]
        cursor.execute(
            """
            SELECT l.id, e.id, e.version_id, e.workflow_id, e.contact_id, e.step, e.seq, e.lane, e.capped,
                   e.trigger::text, e.entered_at, e.waiting_since,
                   CASE WHEN e.state <> 'failed' OR e.seq <> l.seq THEN 'moved_on'
                        WHEN w.status NOT IN ('live', 'paused') THEN 'workflow_archived'
                        WHEN EXISTS (SELECT FROM workflow_enrolments o
                                      WHERE o.workflow_id = e.workflow_id AND o.contact_id = e.contact_id
                                        AND o.entry_key = e.entry_key
                                        AND o.state IN ('pending', 'active', 'waiting'))
                             OR row_number() OVER (PARTITION BY e.workflow_id, e.contact_id, e.entry_key
                                                   ORDER BY l.id) > 1 THEN 'already_under_way'
                        ELSE '' END
              FROM dead_letters l JOIN workflow_enrolments e ON e.id = l.enrolment_id
              JOIN workflows w ON w.id = e.workflow_id
             WHERE l.id = ANY(%s) ORDER BY e.id
            """,
            [mine],
        )
        letters = [_Letter(*row) for row in cursor.fetchall()]
    barred = restricting.barred({letter.contact_id for letter in letters})
    return [
        replace(letter, refusal="not_allowed") if letter.contact_id in barred and not letter.refusal else letter
        for letter in letters
    ]


def _retry(letters: Sequence[_Letter], now: datetime) -> None:
    """From the same step, as if it had never been tried. A capped one asks admission for a place, before those who want
    in."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE workflow_enrolments
               SET state = CASE WHEN capped OR waiting_since IS NOT NULL THEN 'waiting' ELSE 'active' END,
                   held = capped, attempts = 0, wake_at = %s, finished_at = NULL, exit_reason = ''
             WHERE id = ANY(%s) RETURNING workflow_id, version_id, step, state
            """,
            [now, [letter.enrolment_id for letter in letters]],
        )
        counts: Counter[tuple[int, int, str, str]] = Counter(cursor.fetchall())
    deltas = tuple(Moved(*where, amount) for where, amount in sorted(counts.items()))
    signals.enrolments_moved.send(sender=None, deltas=deltas, now=now)
    _tell(letters, now)


def _skip(letters: Sequence[_Letter], now: datetime) -> None:
    """On through the way out that `skip_if` takes, with a row of the journal, as if the step had been passed over."""
    compiled = versions.load(letter.version_id for letter in letters)
    for lane in sorted({letter.lane for letter in letters}):
        batch = Batch(lane, now)
        for letter in letters:
            if letter.lane == lane:
                step = compiled[letter.version_id].steps[letter.step]
                outcome = Advance(port=step.skip_port, detail={"skipped": "by_hand"})
                moves.note(batch, compiled[letter.version_id], step, _claimed(letter), outcome)
        moves.write(batch)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE workflow_enrolments SET wake_at = %s, held = capped,"
            " state = CASE WHEN capped THEN 'waiting' ELSE state END WHERE id = ANY(%s) AND state = 'active'"
            " RETURNING workflow_id, version_id, step, state",
            [now, [letter.enrolment_id for letter in letters]],
        )
        counts: Counter[tuple[int, int, str]] = Counter(row[:3] for row in cursor.fetchall() if row[3] == "waiting")
    deltas = tuple(
        Moved(*where, state, amount * sign)
        for where, amount in sorted(counts.items())
        for state, sign in (("active", -1), ("waiting", 1))
    )
    signals.enrolments_moved.send(sender=None, deltas=deltas, now=now)
    _tell(letters, now)


def _exit(letters: Sequence[_Letter], now: datetime) -> None:
    ids = [letter.enrolment_id for letter in letters]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH gone AS (
                UPDATE workflow_enrolments SET state = 'exited', seq = seq + 1, finished_at = %(now)s,
                       waiting_since = NULL
                 WHERE id = ANY(%(ids)s)
                RETURNING id, seq, contact_id, version_id, step)
            INSERT INTO workflow_journal
                   (enrolment_id, seq, contact_id, version_id, step, step_type, outcome, port, detail, at)
            SELECT id, seq, contact_id, version_id, step, '', 'left', '',
                   jsonb_build_object('reason', %(reason)s::text), %(now)s
              FROM gone
            """,
            {"ids": ids, "now": now, "reason": REASON},
        )
    outbox.cancel_queued(enrolment_ids=ids, reason=REASON, now=now)
    signals.enrolments_moved.send(sender=None, deltas=_moved(letters, f"exited:{REASON}", 1), now=now)


def _moved(letters: Sequence[_Letter], metric: str, sign: int) -> tuple[Moved, ...]:
    """One more or one less for each, also of the variants that they had taken before they failed."""
    taken = variants.of({letter.enrolment_id: letter.version_id for letter in letters})
    counts: Counter[tuple[int, int, str]] = Counter()
    for letter in letters:
        mine = (each.name for each in taken.get(letter.enrolment_id, ()) if each.seq < letter.seq)
        for name in ("", *mine):
            counts[letter.workflow_id, letter.version_id, name] += sign
    return tuple(
        Moved(workflow_id, version_id, "", metric, amount, name)
        for (workflow_id, version_id, name), amount in sorted(counts.items())
    )


def _claimed(letter: _Letter) -> Claimed:
    return Claimed(
        letter.enrolment_id, letter.version_id, letter.contact_id, letter.step, letter.seq,
        letter.waiting_since is not None, letter.trigger, letter.entered_at, letter.waiting_since, 0,
    )  # fmt: skip


def _tell(letters: Sequence[_Letter], now: datetime) -> None:
    for lane in sorted({letter.lane for letter in letters}):
        mine = [letter for letter in letters if letter.lane == lane]
        condition_nodes.mark([letter.contact_id for letter in mine], lane=lane, now=now)
        doorbell.ring_on_commit("workflows.advance", lane)
    if any(letter.capped for letter in letters):
        admission.ring()
