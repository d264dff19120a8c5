"""What is counted, and what it is called: the news of the floors below, as deltas.

    of a workflow          entered · completed · failed · exited:<reason> · refused:<reason> (version 0) ·
                           moved_in · moved_out (of a version, by an edit plan)
    of a step              entered · left:<port> · reached (of a goal) · moved_in · moved_out (amid a wait)
    of messages            queued · accepted · rejected · in_doubt (each time) · undetermined ·
                           suppressed:<reason> · capped:<reason> · cancelled:<reason> · replayed (takes a rejected back,
                           and the message meets another outcome)
    of what became of them delivered · opened · clicked · soft_bounce · … : messages, by people; <kind>_total: every
                           time; <kind>_by_machines and <kind>_by_machines_total likewise

Messages stand under the step that wanted them; those that no workflow wanted under workflow 0, version 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from delivery.signals import FeedbackNote, MessageOutcome
from delivery.webhooks import vocabulary
from workflows.signals import Moved

WITH_REASON = frozenset({"suppressed", "capped", "cancelled"})
DROPPED = "dropped"  # `rejected` by the provider after it had accepted: another thing than the message's own outcome


@dataclass(frozen=True, order=True)
class Delta:
    """`amount` more of `metric`."""

    workflow_id: int
    version_id: int
    step: str
    metric: str
    amount: int


def of_enrolments(moves: Iterable[Moved]) -> list[Delta]:
    return _summed(((move.workflow_id, move.version_id, move.step, move.metric), move.amount) for move in moves)


def of_messages(outcomes: Iterable[MessageOutcome]) -> list[Delta]:
    return _summed(((*_place(outcome), _metric(outcome)), 1) for outcome in outcomes)


def of_feedback(notes: Iterable[FeedbackNote]) -> list[Delta]:
    counts: list[tuple[tuple[int, int, str, str], int]] = []
    for note in notes:
        kind = DROPPED if note.kind == vocabulary.REJECTED else note.kind
        name = f"{kind}_by_machines" if note.is_machine else kind
        counts.append(((*_place(note), f"{name}_total"), 1))
        if note.first:
            counts.append(((*_place(note), name), 1))
    return _summed(counts)


def _metric(outcome: MessageOutcome) -> str:
    return f"{outcome.kind}:{outcome.reason}" if outcome.kind in WITH_REASON else outcome.kind


def _place(news: MessageOutcome | FeedbackNote) -> tuple[int, int, str]:
    return news.workflow_id or 0, news.version_id or 0, news.step


def _summed(counts: Iterable[tuple[tuple[int, int, str, str], int]]) -> list[Delta]:
    sums: Counter[tuple[int, int, str, str]] = Counter()
    for where, amount in counts:
        sums[where] += amount
    return sorted(Delta(*where, amount) for where, amount in sums.items() if amount)
