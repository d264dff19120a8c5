"""`rebuild_segments [--check]`: recompute who is in which segment, and compare."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Max

from contacts import transactions
from contacts.audiences import rebuilding
from contacts.audiences.rebuilding import Differences
from contacts.models import Contact, Segment
from contacts.progress import Progress


class Command(BaseCommand):
    help = (
        "Recompute the membership of every live segment from scratch and put right what differs; each correction is "
        "told as segment_entered or segment_left. May run beside everything else."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="change nothing; fail if a membership is wrong")

    def handle(self, *args: Any, **options: Any) -> None:
        total = self._rebuild(repair=not options["check"])
        for slug in sorted(total.wrong.keys() | total.late.keys()):
            self.stdout.write(f"{slug}: {total.wrong[slug]:,} wrong, {total.late[slug]:,} moved by time alone")
        building = Segment.objects.filter(state="building").count()
        if building:
            self.stdout.write(f"{building:,} segments are being filled and were left out")
        if not total.wrong:
            self.stdout.write("no membership was wrong")
        elif options["check"]:
            raise CommandError(f"{total.wrong.total():,} memberships are wrong")

    def _rebuild(self, *, repair: bool) -> Differences:
        last = Contact.objects.aggregate(last=Max("pk"))["last"] or 0
        progress, total = Progress(self.stderr), Differences()
        after: int | None = 0
        while after is not None:
            progress.show(after, last, f"{total.wrong.total():,} wrong")
            work = partial(_chunk, after, repair)
            after, differences = transactions.run(work)
            total.add(differences)
        progress.clear()
        return total


def _chunk(after: int, repair: bool, now: datetime) -> tuple[int | None, Differences]:
    return rebuilding.rebuild_chunk(after=after, now=now, repair=repair)
