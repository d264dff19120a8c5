"""`try_contact`: answers the questions of `workflows.trying.process`, one line of JSON each."""

from __future__ import annotations

import json
import select
import sys
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import CommandParser

from contacts.management.manners import HouseCommand
from workflows import scratch
from workflows.importing import BadDocument
from workflows.publishing import CannotPublish, UnableToChange
from workflows.rehearsal import reading
from workflows.scratch import Scratch
from workflows.trying import asked, playing
from workflows.trying.asked import CannotTry


class Command(HouseCommand):
    help = (
        "Try journeys with one contact each, in a scratch schema: questions come as lines of JSON by standard input, "
        "and each is answered by a line. The admin keeps one of these; there is no need to start it by hand."
    )
    examples = ("try_contact --idle 60  # the admin starts this by itself",)
    exit_codes = {0: "nobody asked for so long"}
    no_json = "speaks JSON anyway"
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--idle", type=float, default=300.0, help="seconds without a question, and it ends")

    def handle(self, *args: Any, idle: float, **options: Any) -> None:
        try:
            with scratch.open_scratch(now=datetime(2000, 1, 1, tzinfo=UTC)) as room:
                while line := _next(idle):
                    self._tell(_answer(room, json.loads(line)))
        except scratch.NoScratch as error:
            _next(idle)
            self._tell({"error": f"There is no scratch schema to try it in: {error}."})

    def _tell(self, answer: dict[str, Any]) -> None:
        self.stdout.write(json.dumps(answer, ensure_ascii=False))
        self.stdout.flush()


def _next(idle: float) -> str:
    """The next question; empty where nobody asks any more."""
    ready, _, _ = select.select([sys.stdin], [], [], idle)
    return sys.stdin.readline() if ready else ""


def _answer(room: Scratch, question: dict[str, Any]) -> dict[str, Any]:
    try:
        return playing.play(room, asked.from_json(question["trial"]), reading.from_json(question["scope"]))
    except CannotTry as error:
        return {"error": str(error)}
    except CannotPublish as error:
        return {"error": f"It cannot be published as it is: {error.problems[0].message}."}
    except (BadDocument, UnableToChange, ValueError) as error:
        return {"error": f"It cannot be tried: {error}."}
    finally:
        room.start_over(room.now)  # nobody's data stays there until the next question
