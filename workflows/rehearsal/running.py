"""The rehearsal itself: facts and wake times in one order, each at its own instant."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from workflows import versions
from workflows.models import Workflow, WorkflowVersion
from workflows.rehearsal import comparing, counting, facts, filling, playing, reading
from workflows.rehearsal.asked import MOMENT, Asked, CannotRehearse, Piece
from workflows.rehearsal.facts import Fact
from workflows.rehearsal.playing import Stage
from workflows.rehearsal.report import Effort, Report
from workflows.scratch import Scratch, due

MOST_AT_ONCE = 500
QUIET_AT_ONCE = 2_000
FARTHEST_LOOK = timedelta(days=1)  # ahead, for what comes due
LONGEST_RUN_OUT = timedelta(days=400)
QUIET = frozenset({"quiet", "counted"})


@dataclass(frozen=True)
class Progress:
    """How far it is: the simulated time, and how many facts were played of about how many."""

    at: datetime
    played: int
    expected: int


Hear = Callable[[Progress], None]


def find(asked: Asked) -> Piece:
    """The workflow and the definition that is asked for, read in the live schema. Raises CannotRehearse."""
    workflow = Workflow.objects.filter(slug=asked.slug).first()
    if workflow is None:
        raise CannotRehearse(f"there is no journey {asked.slug!r}")
    definition = workflow.draft
    if asked.version is not None:
        version = WorkflowVersion.objects.filter(workflow=workflow, number=asked.version).first()
        if version is None:
            raise CannotRehearse(f"{asked.slug} has no version {asked.version}")
        definition = version.definition
    return Piece(workflow.pk, workflow.slug, workflow.name, definition, asked.version)


def rehearse(
    room: Scratch, asked: Asked, piece: Piece, scope: reading.Scope, *, hear: Hear = lambda _: None,
    say: filling.Say = lambda _: None,
) -> Report:  # fmt: skip
    """Play the period in a scratch whose time is `asked.since`, and report. Raises CannotPublish."""
    began = time.monotonic()
    filling.fill(room, asked, piece, scope, say=say)
    filled = time.monotonic()
    player = _Player(Stage(room, asked, piece, scope), facts.count(room, asked, piece, scope), hear)
    for fact in facts.stream(room, asked, piece, scope):
        player.take(fact)
    player.finish()
    played = time.monotonic()
    effort = Effort(
        facts=player.played,
        copying_seconds=round(filled - began, 2),
        playing_seconds=round(played - filled, 2),
        facts_a_second=round(player.played / max(played - filled, 0.001)),
        unmatched_feedback=player.stage.unmatched + len(player.stage.early),
    )
    return counting.count(room, asked, piece, scope, effort=effort, comparison=comparing.compare(room, asked, piece))


def scope_of(piece: Piece) -> reading.Scope:
    """Raises CannotRehearse where the definition cannot be published as it is."""
    from workflows.definition.validation import validate

    errors = [problem for problem in validate(dict(piece.definition)) if problem.severity == "error"]
    if errors:
        told = "; ".join(f"{each.step or 'workflow'}: {each.field}: {each.message}" for each in errors[:5])
        raise CannotRehearse(f"this definition cannot be published: {told}")
    return reading.scope_of(versions.compile_version(WorkflowVersion(definition=piece.definition, workflow_id=0)))


class _Player:
    def __init__(self, stage: Stage, expected: int, hear: Hear) -> None:
        self.stage, self.played = stage, 0
        self._room, self._expected, self._hear = stage.room, expected, hear
        moment = stage.asked.moment
        self._slack = moment if moment > MOMENT else timedelta()  # what is due may be so late
        self._moment: list[Fact] = []
        self._met: set[int | None] = set()  # the contacts of the moment
        self._quiet: list[Fact] = []
        self._clear_to = stage.room.now  # nothing is due until then, but for what `_due` says
        self._due: datetime | None = None
        self._look_ahead()

    def take(self, fact: Fact) -> None:
        """The next fact in order."""
        if self._moment and not self._belongs(fact):
            self._play()
        if fact.kind in QUIET:
            if self._moment:
                self._play()
            self._pass_time(fact.at)
            self._quiet.append(fact)
            if len(self._quiet) >= QUIET_AT_ONCE:
                self._write_quietly()
        else:
            self._moment.append(fact)
            self._met.add(fact.contact_id)
        self.played += 1

    def finish(self) -> None:
        """The rest, and the time until the end."""
        if self._moment:
            self._play()
        end = self.stage.asked.until
        self._pass_time(end)
        self._write_quietly()
        self._stand_at(end)
        self._room.settle()
        if self.stage.asked.run_out:
            self._pass_time(end + LONGEST_RUN_OUT)

    def _belongs(self, fact: Fact) -> bool:
        """Whether it is of the moment that is being gathered: near, and not before something that is due."""
        first = self._moment[0]
        return (
            len(self._moment) < MOST_AT_ONCE
            and fact.at - first.at < self.stage.asked.moment
            and (self._due is None or fact.at < self._due + self._slack)
            and fact.at <= self._clear_to
            and (fact.at == first.at or fact.contact_id not in self._met)
        )

    def _play(self) -> None:
        moment, self._moment, self._met = self._moment, [], set()
        self._pass_time(moment[0].at)
        self._write_quietly()
        self._stand_at(moment[-1].at)
        playing.play(self.stage, moment)
        if self.stage.early:
            playing.tell_the_early(self.stage)
        if self._due is not None and self._due <= self._room.now:
            self._room.settle()
        else:
            self._room.answer()
        self._look_ahead()
        self._tell()

    def _pass_time(self, at: datetime) -> None:
        """Whatever is due up to and including `at`, moment by moment."""
        while True:
            if self._due is not None and self._due <= at:
                self._write_quietly()
                self._stand_at(min(self._due + self._slack, at))
                self._room.settle()
                if self.stage.early:
                    playing.tell_the_early(self.stage)
                    self._room.settle()
                self._tell()
            elif at <= self._clear_to:
                return
            else:
                self._write_quietly()
                self._stand_at(self._clear_to)
            self._look_ahead()

    def _look_ahead(self) -> None:
        self._clear_to = self._room.now + FARTHEST_LOOK
        self._due = due.next_instant(after=self._room.now, until=self._clear_to)

    def _stand_at(self, at: datetime) -> None:
        """Facts were known in this order, though the clocks of two transactions may say otherwise."""
        if at > self._room.now:
            self._room.set_clock(at)

    def _write_quietly(self) -> None:
        if self._quiet:
            playing.write_quietly(self.stage, self._quiet)
            self._quiet.clear()

    def _tell(self) -> None:
        self._hear(Progress(self._room.now, self.played, self._expected))
