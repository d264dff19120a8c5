"""What is counted, and what it is called: the news of the floors below, as deltas.

    of a workflow          entered · completed · failed · exited:<reason> · refused:<reason> (version 0) ·
                           moved_in · moved_out (of a version, by an edit plan)
    of a step              entered · left:<port> · reached (of a goal) · moved_in · moved_out (amid a wait) ·
                           pending · active · waiting (who stands there now: of no day)
    of messages            queued · accepted · rejected · in_doubt (each time) · undetermined ·
                           suppressed:<reason> · capped:<reason> · cancelled:<reason> · replayed (takes a rejected back,
                           and the message meets another outcome)
    of what became of them delivered · opened · clicked · soft_bounce · … : messages, by people; <kind>_total: every
                           time; <kind>_by_machines and <kind>_by_machines_total likewise

Messages stand under the step that wanted them; those that no workflow wanted under workflow 0, version 0.

Facet '' is all of it. Parts of it are counted once more: `template:<slug>`, of messages and what became of them, and
`variant:<experiment>:<variant>`, of whatever people did who had taken that way before, in a version with an experiment
(where `entered` of the workflow is the taking). Who stands where is not counted by facets: entered + moved_in -
moved_out - completed - exited - failed of a variant says it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from delivery.signals import FeedbackNote, MessageOutcome
from delivery.webhooks import vocabulary
from workflows.models.enrolment import UNFINISHED
from workflows.signals import Moved
from workflows.variants import SEP

WITH_REASON = frozenset({"suppressed", "capped", "cancelled"})
DROPPED = "dropped"  # `rejected` by the provider after it had accepted: another thing than the message's own outcome
STANDING = frozenset(UNFINISHED)  # metrics that rise and fall
NO_DAY = date(1970, 1, 1)  # under which they are kept
TEMPLATE, VARIANT = "template" + SEP, "variant" + SEP

Names = Mapping[int, Iterable[str]]  # by message: the variants that its enrolment had taken before


@dataclass(frozen=True, order=True)
class Delta:
    """`amount` more of `metric`. With a `template_version_id` it is of the facet of that template."""

    workflow_id: int
    version_id: int
    step: str
    metric: str
    amount: int
    facet: str = ""
    template_version_id: int = 0


_Where = tuple[int, int, str, str, str, int]  # workflow, version, step, metric, facet, version of a template


def of_enrolments(moves: Iterable[Moved]) -> list[Delta]:
    return _summed(
        (
            (move.workflow_id, move.version_id, move.step, move.metric, move.variant and VARIANT + move.variant, 0),
            move.amount,
        )
        for move in moves
    )


def of_messages(outcomes: Iterable[MessageOutcome], *, variants: Names) -> list[Delta]:
    return _summed((where, 1) for outcome in outcomes for where in _faceted(outcome, _metric(outcome), variants))


def of_feedback(notes: Iterable[FeedbackNote], *, variants: Names) -> list[Delta]:
    counts: list[tuple[_Where, int]] = []
    for note in notes:
        kind = DROPPED if note.kind == vocabulary.REJECTED else note.kind
        name = f"{kind}_by_machines" if note.is_machine else kind
        counts += [(where, 1) for where in _faceted(note, f"{name}_total", variants)]
        if note.first:
            counts += [(where, 1) for where in _faceted(note, name, variants)]
    return _summed(counts)


def _metric(outcome: MessageOutcome) -> str:
    return f"{outcome.kind}:{outcome.reason}" if outcome.kind in WITH_REASON else outcome.kind


def _faceted(news: MessageOutcome | FeedbackNote, metric: str, variants: Names) -> Iterable[_Where]:
    place = news.workflow_id or 0, news.version_id or 0, news.step, metric
    yield *place, "", 0
    if news.template_version_id:
        yield *place, "", news.template_version_id
    for name in variants.get(news.message_id, ()):
        yield *place, VARIANT + name, 0


def _summed(counts: Iterable[tuple[_Where, int]]) -> list[Delta]:
    sums: Counter[_Where] = Counter()
    for where, amount in counts:
        sums[where] += amount
    return sorted(
        Delta(workflow_id, version_id, step, metric, amount, facet, template_version_id)
        for (workflow_id, version_id, step, metric, facet, template_version_id), amount in sums.items()
        if amount
    )
