"""`manage.py freeze`: nothing goes on and nothing leaves until it is released."""

from __future__ import annotations

from typing import Any

from django.core.management import CommandError
from django.core.management.base import CommandParser

from contacts import freezing, transactions
from contacts.management.manners import HouseCommand
from workflows import publishing
from workflows.models import Workflow


class Command(HouseCommand):
    help = (
        "Freezes everything, or one workflow: what comes in is recorded, and nothing goes on, is sent or is called "
        "until it is released. Returns when nothing that was under way can leave any more."
    )
    examples = (
        'freeze --reason "the wrong template went out"  # everything',
        'freeze --workflow win-back --reason "the wrong audience"',
        'freeze --dry-run --reason "only looking"  # what would stand still',
    )
    exit_codes = {1: "not done, or frozen and something is still under way; what hindered it stands on standard error"}
    json_of = "what was frozen as one JSON object"
    dry_run = "say what would be frozen, and freeze nothing"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--workflow", metavar="SLUG", help="this workflow alone")
        parser.add_argument("--reason", required=True, help="why: everybody reads it on every page of the admin")

    def handle(self, *args: Any, **options: Any) -> None:
        slug, reason = options["workflow"], options["reason"]
        what = f"The workflow {slug}" if slug else "Everything"
        if slug and not Workflow.objects.filter(slug=slug).exists():
            raise CommandError(f"there is no workflow {slug!r}")
        if options["dry_run"]:
            self.tell({"workflow": slug, "frozen": False}, f"{what} would be frozen.", as_json=options["as_json"])
            return
        try:
            workflow_id = self._freeze(slug, reason)
            freezing.settle(workflow_id=workflow_id)
        except (publishing.UnableToChange, freezing.StillUnderWay) as error:
            raise CommandError(str(error)) from error
        words = f"{what} is frozen. `manage.py frozen` says what waits, `manage.py release` lets it go on."
        self.tell({"workflow": slug, "frozen": True}, words, as_json=options["as_json"])

    def _freeze(self, slug: str | None, reason: str) -> int | None:
        if slug:
            return transactions.run(lambda now: publishing.freeze(slug=slug, reason=reason, now=now))
        transactions.run(lambda now: freezing.freeze(reason=reason, now=now))
        return None
