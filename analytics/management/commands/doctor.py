"""`manage.py doctor [--fix]`: is everything as it should be? The alerts that are open are listed too; they tell of what
was, until it has been gone for a time, so they decide nothing here."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser

from analytics.health import alerts_looking, doctor
from contacts.management.manners import HouseCommand


class Command(HouseCommand):
    help = "Checks services, partitions, leases, queues and books: one line each. Exit code 1 if something is wrong."
    examples = (
        "doctor  # one line each",
        "doctor --fix  # mend what can be mended, and look again",
        "doctor --json",
    )
    exit_codes = {0: "everything is as it should be", 1: "something is wrong"}
    json_of = "findings and open alerts as one JSON object"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--fix", action="store_true", help="mend what can be mended, and look again")

    def handle(self, *args: Any, **options: Any) -> None:
        findings = doctor.examine(fix=options["fix"])
        alerts = alerts_looking.open_now()
        lines = [f"{'ok  ' if finding.healthy else 'FAIL'}  {finding.name}: {finding.said}" for finding in findings]
        for alert in alerts:
            lines.append(f"note  alert {alert.key}: {alert.severity}, open since {alert.opened_at}: {alert.said}")
        told = [
            {"key": each.key, "severity": each.severity, "opened_at": each.opened_at, "said": each.said}
            for each in alerts
        ]
        result = {"findings": [asdict(finding) for finding in findings], "alerts": told}
        self.tell(result, *lines, as_json=options["as_json"])
        if not all(finding.healthy for finding in findings):
            raise SystemExit(1)
