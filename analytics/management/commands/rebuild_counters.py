"""`manage.py rebuild_counters`: count everything again from the facts."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from analytics import rebuild


class Command(BaseCommand):
    help = (
        "Recounts every counter from enrolments, journal, send log and feedback, says which were wrong, and puts the "
        "recount in their place."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="compare only; exit code 1 if a counter is wrong")

    def handle(self, *args: Any, **options: Any) -> None:
        found = rebuild.compare() if options["check"] else rebuild.replace()
        for wrong in found.differences:
            where = " ".join(filter(None, (wrong.workflow or "(no journey)", wrong.step, wrong.metric)))
            self.stdout.write(f"{where}: counted {wrong.counted}, the facts say {wrong.facts}")
        if not found.differences:
            self.stdout.write(f"All counters are right: {found.facts} counted.")
        elif options["check"]:
            raise SystemExit(1)
        else:
            self.stdout.write(f"{len(found.differences)} counters were wrong and are right now.")
