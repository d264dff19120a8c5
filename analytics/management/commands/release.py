"""`manage.py release`: what was frozen goes on."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management import CommandError
from django.core.management.base import CommandParser

from analytics.health import held_back
from contacts import freezing, transactions
from contacts.durations import BadDuration, parse_duration
from contacts.management.manners import HouseCommand
from workflows import publishing
from workflows.models import Workflow


class Command(HouseCommand):
    help = (
        "Releases everything, or one workflow: what waits goes on within seconds. With --drop-older-than, what was "
        "queued too long before the freeze is closed first, skipped as `restored`, and never sent."
    )
    examples = (
        "release --dry-run  # what would go on",
        "release  # send what waits",
        "release --drop-older-than PT0S  # of what was queued when it was frozen, send nothing",
        "release --drop-older-than P1D --dry-run  # how much of it is older than a day",
        "release --workflow win-back",
    )
    json_of = "what was released and dropped as one JSON object"
    dry_run = "say what would go on and what would be dropped, and do neither"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--workflow", metavar="SLUG", help="this workflow alone")
        parser.add_argument(
            "--drop-older-than",
            metavar="DURATION",
            help="close what was queued so long before the freeze began, ISO 8601: messages, calls of webhooks, mails"
            " to those who work here and deliveries to outgoing webhooks",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        slug, is_dry = options["workflow"], options["dry_run"]
        dropped: dict[str, int] = {}
        if options["drop_older_than"]:
            if slug:
                raise CommandError("--drop-older-than is for everything, not for one workflow")
            dropped = self._drop(options["drop_older_than"], is_dry)
        released = self._is_frozen(slug) if is_dry else self._release(slug)
        what = f"The workflow {slug}" if slug else "Everything"
        would = "would be" if is_dry else "is"
        lines = [f"{count:,} {held_back.WORDS[kind]}: {would} dropped." for kind, count in dropped.items() if count]
        lines.append(f"{what} {would} released." if released else f"{what} is not frozen.")
        self.tell({"workflow": slug, "released": released, "dropped": dropped}, *lines, as_json=options["as_json"])

    def _drop(self, text: str, is_dry: bool) -> dict[str, int]:
        try:
            age = parse_duration(text).total()
        except BadDuration as error:
            raise CommandError(str(error)) from error
        began_at = held_back.boundary(freezing.standing())
        if began_at is None:
            raise CommandError("nothing is dropped unless everything is frozen")
        if is_dry:
            return held_back.droppable(before=began_at - age)
        try:
            return held_back.drop(before=began_at - age, told=self._say)
        except held_back.NotFrozen as error:
            raise CommandError(str(error)) from error

    def _say(self, count: int) -> None:
        if sys.stderr.isatty():
            self.stderr.write(f"{count:,} dropped", ending="\r")

    def _is_frozen(self, slug: str | None) -> bool:
        workflow = self._workflow(slug).pk if slug else None
        return any(each.workflow_id == workflow for each in freezing.standing())

    def _release(self, slug: str | None) -> bool:
        if slug:
            self._workflow(slug)
            return transactions.run(lambda now: publishing.release(slug=slug, now=now))
        return bool(transactions.run(lambda now: freezing.release(now=now)))

    def _workflow(self, slug: str) -> Workflow:
        workflow = Workflow.objects.filter(slug=slug).first()
        if workflow is None:
            raise CommandError(f"there is no workflow {slug!r}")
        return workflow
