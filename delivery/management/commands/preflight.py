"""`manage.py preflight [domain …]`: what the world will say of the domains that mail is sent from."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser

from contacts.management.manners import HouseCommand
from delivery import tallies
from delivery.preflight import checking
from delivery.preflight.dns import Dns
from delivery.preflight.verdicts import BAD, Check

MARKS = {"good": "ok  ", "warn": "WARN", "bad": "FAIL", "unknown": "?   "}


class Command(HouseCommand):
    help = "Checks SPF, DKIM, DMARC, MX, headers, settings and complaints. Exit code 1 if something is bad."
    examples = (
        "preflight  # the domains of EMAIL_FROM and EMAIL_FROM_TRANSACTIONAL",
        "preflight mail.example.com --json",
    )
    exit_codes = {1: "something is bad: mail will be refused or marked as spam"}
    json_of = "one JSON object: the checks by domain"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "domain", nargs="*", help="those that EMAIL_FROM and EMAIL_FROM_TRANSACTIONAL name, if none"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        domains = options["domain"] or sorted({domain for domain in tallies.sending_domains().values() if domain})
        found = {}
        for domain in domains:
            if not options["as_json"]:
                self.stdout.write(f"{domain}")
            found[domain] = list(checking.check(domain.strip().rstrip(".").lower(), Dns()))
            if not options["as_json"]:
                for check in found[domain]:
                    self._say(check)
        if options["as_json"]:
            self.tell({name: [asdict(check) for check in checks] for name, checks in found.items()}, as_json=True)
        if any(check.verdict == BAD for checks in found.values() for check in checks):
            raise SystemExit(1)

    def _say(self, check: Check) -> None:
        self.stdout.write(f"  {MARKS[check.verdict]}  {check.title}: {check.said}")
        if check.fix:
            self.stdout.write(f"        {check.fix}")
