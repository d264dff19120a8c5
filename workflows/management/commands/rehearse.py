"""`rehearse`: play recorded events to a workflow, and say what it would have done."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.core.management.base import CommandParser

from contacts import durations
from contacts.collect.parsing import parse_instant
from contacts.management.manners import HouseCommand
from contacts.progress import Progress
from workflows import scratch
from workflows.models import Rehearsal
from workflows.publishing import CannotPublish
from workflows.rehearsal import asking, running, telling, watched
from workflows.rehearsal.asked import CLOCKS, RECORDED, Asked, CannotRehearse
from workflows.rehearsal.report import Report

UNUSABLE = 2


class Command(HouseCommand):
    help = (
        "Play the recorded events of a period to a workflow, with the production engine, under a simulated clock, in a "
        "scratch schema: nothing is sent, no live row is touched. Exit code 0 with a report, 2 where there is nothing "
        "to rehearse."
    )
    examples = (
        "rehearse trial-onboarding --since 2026-03-01 --until 2026-03-08",
        "rehearse trial-onboarding --since 2026-03-01 --until 2026-03-08 --version 3 --sample 10 --json",
    )
    exit_codes = {1: "it broke off", 2: "there is nothing to rehearse, or the arguments make no sense"}
    json_of = "the report as one JSON object"
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("slug", nargs="?", help="of the workflow")
        parser.add_argument("--since", help="when the period begins: 2026-03-01, or with a time (UTC)")
        parser.add_argument("--until", help="when it ends")
        which = parser.add_mutually_exclusive_group()
        which.add_argument("--draft", action="store_true", help="the draft (this is what happens without --version)")
        which.add_argument("--version", type=int, dest="number", help="a published version")
        parser.add_argument("--sample", type=float, default=100.0, metavar="PERCENT", help="of the contacts")
        parser.add_argument(
            "--moment",
            default="PT1S",
            metavar="DURATION",
            help="play at once what happens to different contacts within so long, e.g. PT10M: quicker, and less exact",
        )
        parser.add_argument(
            "--clock",
            choices=CLOCKS,
            default=RECORDED,
            help="when an event happens: when it was recorded, or (for imported history) when it occurred",
        )
        parser.add_argument("--run-out", action="store_true", help="go on after the period until all waits are over")
        parser.add_argument("--run", metavar="ID", help="one that was asked for in the admin or by the API")

    def handle(
        self, *args: Any, slug: str | None, since: str | None, until: str | None, as_json: bool, **options: Any
    ) -> None:
        self._json = as_json
        if options["run"]:
            self._run(options["run"])
            return
        if not (slug and since and until):
            self._refuse("say which workflow, --since and --until")
            return
        try:
            asked = Asked(
                slug=slug,
                since=_instant("since", since),
                until=_instant("until", until),
                version=options["number"],
                sample=options["sample"],
                clock=options["clock"],
                run_out=options["run_out"],
                moment=_moment(options["moment"]),
            )
            report = self._rehearse(asked)
        except (CannotRehearse, scratch.NoScratch, scratch.Restless) as error:
            self._refuse(str(error))
        except CannotPublish as error:
            self._refuse(f"this definition cannot be published: {error}")
        if as_json:
            self.stdout.write(json.dumps(report.as_dict(), ensure_ascii=False))
        else:
            for line in telling.lines(report):
                self.stdout.write(line)

    def _run(self, public_id: str) -> None:
        row = Rehearsal.objects.filter(public_id=public_id).first() if is_uuid(public_id) else None
        if row is None:
            self._refuse(f"there is no rehearsal {public_id}")
        elif not watched.run(row, asking.asked_of(row)):
            sys.exit(UNUSABLE)

    def _rehearse(self, asked: Asked) -> Report:
        piece = running.find(asked)
        scope = running.scope_of(piece)
        bar = Progress(self.stderr, every=2.0)
        whole = (asked.until - asked.since) / timedelta(seconds=1)

        def hear(progress: running.Progress) -> None:
            passed = (progress.at - asked.since) / timedelta(seconds=1)
            shown = f"{progress.at:%Y-%m-%d %H:%M}, {progress.played:,} of about {progress.expected:,} facts"
            bar.show(round(min(passed, whole)), round(whole), shown)

        with scratch.open_scratch(now=asked.since, say=self._say) as room:
            report = running.rehearse(room, asked, piece, scope, hear=hear, say=self._say)
        bar.clear()
        return report

    def _say(self, sentence: str) -> None:
        self.stderr.write(sentence)

    def _refuse(self, sentence: str) -> Any:
        if self._json:
            self.stdout.write(json.dumps({"error": sentence}, ensure_ascii=False))
        else:
            self.stderr.write(sentence)
        sys.exit(UNUSABLE)


def is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _moment(text: str) -> timedelta:
    try:
        return durations.window(text, speed=1.0)
    except durations.BadDuration as error:
        raise CannotRehearse(f"--moment: {error}") from error


def _instant(name: str, text: str) -> datetime:
    """A day begins at midnight, UTC."""
    found = parse_instant(f"{text}T00:00:00Z" if len(text) == len("2026-03-01") else text)
    if not isinstance(found, datetime):
        raise CannotRehearse(f"--{name}: {text!r} is no instant such as 2026-03-01 or 2026-03-01T09:00:00Z")
    return found.astimezone(UTC)
