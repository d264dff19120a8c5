"""`manage.py rebuild_tallies`: count what became of messages again, from the facts."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from delivery import recounting


class Command(BaseCommand):
    help = "Recounts the figures of the deliverability page from send log and feedback, and puts right what is wrong."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="compare only; exit code 1 if a figure is wrong")

    def handle(self, *args: Any, **options: Any) -> None:
        found = recounting.compare() if options["check"] else recounting.mend()
        for wrong in found:
            named = (wrong.day, wrong.channel, wrong.provider, wrong.message_class, wrong.what, wrong.reason)
            where = " ".join(str(part) for part in named if part)
            self.stdout.write(f"{where}: counted {wrong.counted}, the facts say {wrong.facts}")
        if not found:
            self.stdout.write("All tallies are right.")
        elif options["check"]:
            raise SystemExit(1)
        else:
            self.stdout.write(f"{len(found)} tallies were wrong and are right now.")
