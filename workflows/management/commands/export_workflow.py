"""Write a workflow's draft, or one of its versions, to standard output."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from contacts.management.manners import HouseCommand
from workflows.definition.writing import written
from workflows.models import Workflow, WorkflowVersion


class Command(HouseCommand):
    help = "Print the draft of a workflow, or a version, as YAML (or JSON); import_workflow reads it back."
    examples = (
        "export_workflow trial-onboarding > trial-onboarding.yaml",
        "export_workflow trial-onboarding --version 3 --json",
    )
    exit_codes = {1: "there is no such workflow, or no such version"}
    json_of = "the definition as JSON; YAML otherwise"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("slug", help="of the workflow")
        parser.add_argument("--version", type=int, dest="number", metavar="N", help="version N instead of the draft")

    def handle(self, *args: Any, slug: str, as_json: bool, number: int | None, **options: Any) -> None:
        workflow = Workflow.objects.filter(slug=slug).first()
        if workflow is None:
            known = ", ".join(Workflow.objects.order_by("slug").values_list("slug", flat=True)) or "none yet"
            raise CommandError(f"there is no workflow {slug!r}; there are: {known}")
        definition = workflow.draft
        if number is not None:
            version = WorkflowVersion.objects.filter(workflow=workflow, number=number).first()
            if version is None:
                raise CommandError(f"{slug} has no version {number}")
            definition = version.definition
        self.stdout.write(written(definition, "json" if as_json else "yaml"), ending="")
