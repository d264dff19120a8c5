"""`test_workflow`: run the cases that stand in a definition file."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from contacts.management.manners import HouseCommand
from contacts.progress import Progress
from workflows import scratch
from workflows.definition.problems import Problem
from workflows.journey_tests import document, running
from workflows.journey_tests.document import BadTestFile, Document
from workflows.journey_tests.running import Outcome
from workflows.publishing import CannotPublish

FAILED, UNUSABLE = 1, 2


class Command(HouseCommand):
    help = (
        "Run the cases of a definition file with the production engine, under a simulated clock, in a scratch schema: "
        "nothing is sent, no live row is touched. Exit code 0 if every check holds, 1 if not, 2 for an unusable file."
    )
    examples = (
        "test_workflow workflows/samples/first-order.yaml",
        "test_workflow journey.yaml --case 'an order of another currency'",
        "test_workflow - --json  # the file by standard input, an object a line for a program",
    )
    exit_codes = {0: "every check holds", 1: "a check does not hold", 2: "the file cannot be used"}
    json_of = "one JSON object a line: cases, summary"
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("file", help="YAML or JSON; - reads standard input")
        parser.add_argument("--case", help="only the case of this name")

    def handle(self, *args: Any, file: str, case: str | None, as_json: bool, **options: Any) -> None:
        self._json = as_json
        found = self._read(file, case)
        cases = [each.name for each in found.cases if case in (None, each.name)]
        progress = Progress(self.stderr)
        outcomes: list[Outcome] = []
        try:
            with scratch.open_scratch(now=datetime(2000, 1, 1, tzinfo=UTC), say=self._say) as room:
                for outcome in running.run(found, room, only=case):
                    outcomes.append(outcome)
                    progress.clear()
                    self._tell(outcome)
                    progress.show(len(outcomes), len(cases), f"{len(outcomes)} of {len(cases)} cases")
                progress.clear()
        except scratch.NoScratch as error:
            self._refuse([f"there is no scratch schema to run in: {error}"])
        except BadTestFile as error:
            self._refuse([f"{file}: {document.said(fault)}" for fault in error.faults])
        except CannotPublish as error:
            self._refuse([f"{file}: {_problem(problem)}" for problem in error.problems])
        self._sum_up(outcomes)

    def _read(self, file: str, case: str | None) -> Document:
        try:
            text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
        except OSError as error:
            self._refuse([f"cannot read {file}: {error.strerror}"])
        except UnicodeDecodeError:
            self._refuse([f"{file} is not text in UTF-8"])
        try:
            found = document.read(text)
        except BadTestFile as error:
            self._refuse([f"{file}: {document.said(fault)}" for fault in error.faults])
        if not found.cases:
            self._refuse([f"{file}: cases: there are none"])
        if case is not None and case not in [each.name for each in found.cases]:
            known = ", ".join(repr(each.name) for each in found.cases)
            self._refuse([f"{file}: there is no case {case!r}; there are {known}"])
        return found

    def _say(self, sentence: str) -> None:
        if not self._json:
            self.stderr.write(sentence)

    def _tell(self, outcome: Outcome) -> None:
        if self._json:
            self._line(outcome.as_json())
            return
        sign = self.style.SUCCESS("passed") if outcome.passed else self.style.ERROR("FAILED")
        count = len(outcome.checked)
        self.stdout.write(f"{sign}  {outcome.name}  ({count} check{'s' * (count != 1)}, {outcome.seconds:.2f} s)")
        for each in outcome.checked:
            if each.answer.holds:
                continue
            self.stdout.write(f"    {each.place}.{each.kind} at {each.at}")
            self.stdout.write(f"      expected: {each.answer.expected}")
            self.stdout.write(f"      found:    {each.answer.found}")
            for line in each.trace:
                self.stdout.write(f"        {line}")
        if outcome.error:
            self.stdout.write(f"    {outcome.error}")

    def _sum_up(self, outcomes: list[Outcome]) -> None:
        passed = sum(outcome.passed for outcome in outcomes)
        seconds = sum(outcome.seconds for outcome in outcomes)
        if self._json:
            self._line({"cases": len(outcomes), "passed": passed, "seconds": round(seconds, 3)})
        else:
            self.stdout.write(f"{passed} of {len(outcomes)} cases passed in {seconds:.2f} s")
        if passed != len(outcomes):
            sys.exit(FAILED)

    def _refuse(self, lines: list[str]) -> Any:
        if self._json:
            self._line({"errors": lines})
        for line in lines:
            self.stderr.write(line)
        sys.exit(UNUSABLE)

    def _line(self, value: dict[str, Any]) -> None:
        self.stdout.write(json.dumps(value, ensure_ascii=False))
        self.stdout.flush()


def _problem(problem: Problem) -> str:
    return f"{problem.severity}: {problem.step or 'workflow'}: {problem.field}: {problem.message}"
