"""Running the cases of a file, one after another, each from nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from workflows.journey_tests import checks, deeds, setting, telling
from workflows.journey_tests.checks import Answer, shown
from workflows.journey_tests.deeds import Impossible, Stage
from workflows.journey_tests.document import Case, Document, Moment
from workflows.scratch import Restless, Scratch


@dataclass(frozen=True)
class Checked:
    """One check and its answer. `trace`: what the contact did until then, where it does not hold."""

    place: str
    at: str
    kind: str
    answer: Answer
    trace: tuple[str, ...] = ()


@dataclass
class Outcome:
    """What became of a case. `error`: the sentence that ended it before its time; empty where nothing did."""

    name: str
    checked: list[Checked] = field(default_factory=list)
    error: str = ""
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        return not self.error and all(each.answer.holds for each in self.checked)

    def as_json(self) -> dict[str, Any]:
        return {
            "case": self.name,
            "passed": self.passed,
            "seconds": round(self.seconds, 3),
            "error": self.error or None,
            "checks": [
                {"place": c.place, "at": c.at, "check": c.kind, **asdict(c.answer), "trace": list(c.trace)}
                for c in self.checked
            ],
        }


def run(document: Document, room: Scratch, *, only: str | None = None) -> Iterator[Outcome]:
    """The outcome of each case, or of the one of that name, as soon as it is known. Raises BadTestFile and
    CannotPublish for what is wrong with the file whatever its cases say."""
    for case in document.cases:
        if only is None or case.name == only:
            began = time.monotonic()
            outcome = _run(document, case, room)
            outcome.seconds = time.monotonic() - began
            yield outcome


def _run(document: Document, case: Case, room: Scratch) -> Outcome:
    outcome = Outcome(case.name)
    instants = case.instants()
    room.start_over(instants[0])
    stage = Stage(document.slug, setting.prepare(document, room))
    moment: Moment | None = None
    try:
        for instant in instants:
            moment = None
            room.run_until(instant)
            for moment in (deed for deed in case.when if deed.at == instant):
                deeds.do(moment, stage)
                room.settle()
            for check in (each for each in case.then if each.at == instant):
                outcome.checked.append(_check(check, stage, room))
    except (Impossible, Restless) as error:
        where = f"{moment.place}.{moment.kind} at {shown(moment.at)}" if moment else shown(room.now)
        outcome.error = f"{where}: {error}"
    outcome.checked.sort(key=lambda each: [check.place for check in case.then].index(each.place))
    return outcome


def _check(check: Moment, stage: Stage, room: Scratch) -> Checked:
    answer = checks.ask(check, slug=stage.slug, people=stage.people, now=room.now)
    contact_id = stage.people.get(check.said.get("contact", ""))
    trace = () if answer.holds or contact_id is None else tuple(telling.trace(contact_id))
    return Checked(check.place, shown(check.at), check.kind, answer, trace)
