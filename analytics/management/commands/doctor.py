"""`manage.py doctor [--fix]`: is everything as it should be?"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from analytics import doctor


class Command(BaseCommand):
    help = "Checks services, partitions, leases, queues and books: one line each. Exit code 1 if something is wrong."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--fix", action="store_true", help="mend what can be mended, and look again")

    def handle(self, *args: Any, **options: Any) -> None:
        findings = doctor.examine(fix=options["fix"])
        for finding in findings:
            self.stdout.write(f"{'ok  ' if finding.healthy else 'FAIL'}  {finding.name}: {finding.said}")
        if not all(finding.healthy for finding in findings):
            raise SystemExit(1)
