"""Write a workflow's draft to standard output."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

import yaml
from django.core.management.base import BaseCommand, CommandError

from workflows.models import Workflow


class Command(BaseCommand):
    help = "Print the draft of a workflow as YAML (or JSON); import_workflow reads it back."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("--json", action="store_true", dest="as_json")

    def handle(self, *args: Any, slug: str, as_json: bool, **options: Any) -> None:
        workflow = Workflow.objects.filter(slug=slug).first()
        if workflow is None:
            known = ", ".join(Workflow.objects.order_by("slug").values_list("slug", flat=True)) or "none yet"
            raise CommandError(f"there is no workflow {slug!r}; there are: {known}")
        if as_json:
            self.stdout.write(json.dumps(workflow.draft, indent=1, ensure_ascii=False))
        else:
            self.stdout.write(yaml.safe_dump(workflow.draft, sort_keys=False, allow_unicode=True))
