"""One person's way through a definition: in at `trial.at`, then from one instant at which something is due to the next,
until they are through or nothing will move them any more."""

from __future__ import annotations

import heapq
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from contacts.models import Contact
from workflows import why, wording
from workflows.definition.sentences import mapping
from workflows.entry import enrolling
from workflows.entry.enrolling import Asked
from workflows.journey_tests import deeds, setting
from workflows.journey_tests.deeds import Impossible, Stage
from workflows.journey_tests.document import Moment
from workflows.models import Enrolment, EntryRefusal, Workflow
from workflows.models.enrolment import FINISHED
from workflows.rehearsal.asked import Piece
from workflows.rehearsal.reading import Scope
from workflows.scratch import Restless, Scratch, due
from workflows.trying import filling, telling
from workflows.trying.asked import CLICKS, NOTHING, Trial

LONGEST = timedelta(days=400)  # that somebody is followed
MOST_SECONDS = 20.0  # of real time
A_MINUTE = timedelta(minutes=1)
THEM = "them"
BY_EVENT = frozenset({"event", "form_submitted"})  # triggers whose event is made up; others let in as if by hand
_OPEN_TO_ALL = {"rollout_percent": 100, "holdout_percent": 0}


@dataclass
class _Play:
    """`ahead`: what the person is going to do, the next first."""

    room: Scratch
    trial: Trial
    stage: Stage
    contact_id: int
    ahead: list[tuple[datetime, int, str, Mapping[str, Any]]] = field(default_factory=list)
    numbers: Any = field(default_factory=count)
    answered: set[int] = field(default_factory=set)  # messages that the person has reacted to
    said: list[str] = field(default_factory=list)

    def plan(self, at: datetime, kind: str, more: Mapping[str, Any]) -> None:
        heapq.heappush(self.ahead, (at, next(self.numbers), kind, more))


def play(room: Scratch, trial: Trial, scope: Scope) -> dict[str, Any]:
    """What `telling.tell` says of it. The definition has no errors. `scope`: what it reads of the live schema. Raises
    CannotTry."""
    began = time.monotonic()
    definition = dict(trial.definition)
    piece = Piece(trial.workflow_id, trial.slug, trial.slug, definition, None)
    room.start_over(trial.at)
    contact_id = filling.fill(room, trial, piece, scope)
    setting.publish(_let_in(definition) if trial.anyway else definition)
    room.settle()
    acted = _Play(room, trial, Stage(trial.slug, {THEM: contact_id}), contact_id)
    _enter(acted)
    try:
        stopped = _follow(acted, until=trial.at + LONGEST, began=began)
    except Restless:
        stopped = "It goes round without end at one instant."
    notes = [*acted.said, *([stopped] if stopped else [])]
    if scope.others:
        notes.append("Other journeys are not looked at: conditions about them find the contact in none.")
    enrolment = _enrolment(acted)
    if enrolment is None:
        return telling.refused(contact_id, definition, _why_not(acted), notes, at=trial.at)
    return telling.tell(enrolment, notes=notes)


def _why_not(acted: _Play) -> str:
    workflow = Workflow.objects.get(slug=acted.trial.slug)
    refusal = EntryRefusal.objects.filter(contact_id=acted.contact_id, workflow_id=workflow.pk).order_by("-id").first()
    if refusal is not None:
        return f"Would not be let in: {wording.refusal(refusal.reason)}."
    return why.why(contact_id=acted.contact_id, workflow=workflow, now=acted.room.now).answer


def _let_in(definition: Mapping[str, Any]) -> dict[str, Any]:
    """The same for everybody who comes, whoever they are and however often they have been there."""
    entry = {name: value for name, value in mapping(definition.get("entry")).items() if name != "audience"}
    entry["re_entry"] = {"policy": "every_time"}
    return {**definition, "entry": entry, "settings": {**mapping(definition.get("settings")), **_OPEN_TO_ALL}}


def _enter(acted: _Play) -> None:
    """By the event that the trigger waits for, where it is one that anybody may send; else as if by hand."""
    trigger = mapping(mapping(acted.trial.definition.get("entry")).get("trigger"))
    kind = trigger.get("type")
    if kind in BY_EVENT and not acted.trial.anyway:
        properties = dict(acted.trial.properties)
        if kind == "form_submitted":
            properties = {"form": trigger.get("form"), **properties}
        event = str(trigger.get("event") or "form_submitted")
        acted.plan(acted.trial.at, "track", {"type": event, "properties": properties})
    else:
        public_id = Contact.objects.values_list("public_id", flat=True).get(pk=acted.contact_id)
        workflow = Workflow.objects.get(slug=acted.trial.slug)
        properties = dict(acted.trial.properties)
        enrolling.enrol([Asked(public_id=public_id)], workflow_id=workflow.pk, kind="api", properties=properties)
    for happening in acted.trial.happenings:
        about = {"type": happening.type, "properties": dict(happening.properties)}
        acted.plan(acted.trial.at + happening.delay(), "track", about)


def _follow(acted: _Play, *, until: datetime, began: float) -> str:
    """Returns why it ends before its time; empty where it does not."""
    room = acted.room
    while True:
        while acted.ahead and acted.ahead[0][0] <= room.now:
            _, _, kind, more = heapq.heappop(acted.ahead)
            _do(acted, kind, more)
        room.settle()
        enrolment = _enrolment(acted)
        if enrolment is None and not acted.ahead:
            return ""
        _react(acted)
        if enrolment is not None and enrolment.state in FINISHED and not telling.is_anything_queued(enrolment.pk):
            return ""
        if time.monotonic() - began > MOST_SECONDS:
            return f"Followed until {room.now:%-d %B %Y}: to go on would take too long."
        if not _go_on(acted, until):
            return "" if enrolment is None else "Nothing moves them on from here within 400 days."


def _go_on(acted: _Play, until: datetime) -> bool:
    """To the next instant at which something happens; False where there is none."""
    planned = min(acted.ahead[0][0], until) if acted.ahead else until
    instant = due.next_instant(after=acted.room.now, until=planned)
    if instant is None and not acted.ahead:
        return False
    if (instant or planned) <= acted.room.now or (instant is None and acted.ahead[0][0] > until):
        return False
    acted.room.set_clock(instant or planned)
    return True


def _do(acted: _Play, kind: str, more: Mapping[str, Any]) -> None:
    try:
        deeds.do(Moment(acted.room.now, kind, {"contact": THEM, **more}, "the contact"), acted.stage)
    except Impossible as error:
        acted.said.append(f"{more.get('type') or more.get('event')}: {error}.")


def _react(acted: _Play) -> None:
    """Whoever opens emails opens each a minute after it came."""
    if acted.trial.habit == NOTHING:
        return
    for message_id in telling.emails_that_went_out(acted.contact_id):
        if message_id not in acted.answered:
            acted.answered.add(message_id)
            acted.plan(acted.room.now + A_MINUTE, "webhook", {"event": "open"})
            if acted.trial.habit == CLICKS:
                acted.plan(acted.room.now + A_MINUTE, "webhook", {"event": "click"})


def _enrolment(acted: _Play) -> Enrolment | None:
    found = Enrolment.objects.filter(contact_id=acted.contact_id, workflow__slug=acted.trial.slug)
    return found.filter(entered_at__gte=acted.trial.at).order_by("id").first()
