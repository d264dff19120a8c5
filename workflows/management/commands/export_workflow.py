"""Write a workflow's draft, or one of its versions, to standard output."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from workflows.definition.writing import written
from workflows.models import Workflow, WorkflowVersion


class Command(BaseCommand):
    help = "Print the draft of a workflow, or a version, as YAML (or JSON); import_workflow reads it back."

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """`--version` is ours here, and not Django's."""
        return super().create_parser(prog_name, subcommand, conflict_handler="resolve", **kwargs)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("--json", action="store_true", dest="as_json")
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
