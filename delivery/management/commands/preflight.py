"""`manage.py preflight [domain …]`: what the world will say of the domains that mail is sent from."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from delivery import tallies
from delivery.preflight import checking
from delivery.preflight.dns import Dns
from delivery.preflight.verdicts import BAD, Check

MARKS = {"good": "ok  ", "warn": "WARN", "bad": "FAIL", "unknown": "?   "}


class Command(BaseCommand):
    help = "Checks SPF, DKIM, DMARC, MX, headers, settings and complaints. Exit code 1 if something is bad."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "domain", nargs="*", help="those that EMAIL_FROM and EMAIL_FROM_TRANSACTIONAL name, if none"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        domains = options["domain"] or sorted({domain for domain in tallies.sending_domains().values() if domain})
        bad = 0
        for domain in domains:
            self.stdout.write(f"{domain}")
            for check in checking.check(domain.strip().rstrip(".").lower(), Dns()):
                bad += check.verdict == BAD
                self._say(check)
        if bad:
            raise SystemExit(1)

    def _say(self, check: Check) -> None:
        self.stdout.write(f"  {MARKS[check.verdict]}  {check.title}: {check.said}")
        if check.fix:
            self.stdout.write(f"        {check.fix}")
