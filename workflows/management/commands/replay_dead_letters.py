"""`replay_dead_letters [--workflow SLUG] [--step KEY] [--do retry|skip|exit]`: decide about failed steps in bulk."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.core.management.base import CommandError, CommandParser

from contacts import transactions
from contacts.management.manners import HouseCommand
from contacts.progress import Progress
from workflows.failures import dead_letters
from workflows.failures.dead_letters import DEEDS, Resolved, Which
from workflows.models import Workflow


class Command(HouseCommand):
    help = (
        "Take the enrolments that failed at a step out of the dead letters: retry the step (the default), skip it, or "
        "let them exit. Those who are in the journey again, or may not be worked with, stay where they are."
    )
    examples = (
        "replay_dead_letters --dry-run  # how many could be taken out",
        "replay_dead_letters --workflow trial-onboarding --step call-crm",
        "replay_dead_letters --category permanent --do exit --json",
    )
    exit_codes = {1: "there is no such workflow"}
    json_of = "the counts as one JSON object"
    dry_run = "say what would become of them, and leave them"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--workflow", metavar="SLUG", help="only of this workflow")
        parser.add_argument("--step", metavar="KEY", default="", help="only those that failed at this step")
        parser.add_argument("--category", choices=["transient", "permanent"], default="", help="only of this kind")
        parser.add_argument("--do", choices=sorted(DEEDS), default="retry", dest="deed", help="default: retry")

    def handle(self, *args: Any, workflow: str | None, step: str, category: str, deed: str, **options: Any) -> None:
        which = Which(_workflow_id(workflow), step, category)
        total, progress, looked_at, resolved = dead_letters.count_open(which), Progress(self.stderr), 0, Resolved()
        run = transactions.try_out if options["dry_run"] else transactions.run
        for ids in dead_letters.slices(which):
            resolved += run(partial(_resolve, ids, deed))
            looked_at += len(ids)
            progress.show(looked_at, total, f"{resolved.done:,} {DEEDS[deed]}")
        progress.clear()
        would = "nothing was changed; would be " if options["dry_run"] else ""
        lines = [f"{would}{DEEDS[deed]}: {resolved.done:,}"]
        for reason, count in sorted(resolved.refused.items()):
            lines.append(f"left as they are, {reason.replace('_', ' ')}: {count:,}")
        result = {"do": deed, "done": resolved.done, "left": dict(resolved.refused), "dry_run": options["dry_run"]}
        self.tell(result, *lines, as_json=options["as_json"])


def _resolve(ids: list[int], deed: str, now: Any) -> Resolved:
    return dead_letters.resolve(ids, deed=deed, by="replay_dead_letters", now=now)


def _workflow_id(slug: str | None) -> int | None:
    if slug is None:
        return None
    workflow = Workflow.objects.filter(slug=slug).first()
    if workflow is None:
        raise CommandError(f"there is no workflow {slug!r}")
    return workflow.pk
