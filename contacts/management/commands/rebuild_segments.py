"""`rebuild_segments [--check]`: recompute who is in which segment, and compare."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db.models import Max

from contacts import transactions
from contacts.audiences import rebuilding
from contacts.audiences.rebuilding import Differences
from contacts.management.manners import HouseCommand
from contacts.models import Contact, Segment
from contacts.progress import Progress


class Command(HouseCommand):
    help = (
        "Recompute the membership of every live segment from scratch and put right what differs; each correction is "
        "told as segment_entered or segment_left. May run beside everything else."
    )
    examples = (
        "rebuild_segments --dry-run  # compare only",
        "rebuild_segments  # compare, and put right what is wrong",
    )
    exit_codes = {1: "--check found a membership that is wrong"}
    json_of = "the differences by segment as one JSON object"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--check", "--dry-run", action="store_true", dest="check", help="change nothing; fail if one is wrong"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        total = self._rebuild(repair=not options["check"])
        if options["as_json"]:
            self.tell({"wrong": total.wrong, "late": total.late}, as_json=True)
            if total.wrong and options["check"]:
                raise SystemExit(1)
            return
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
