"""`retime`: let waits end by the time zone data that is installed now."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

from tzdata import IANA_VERSION

from contacts import transactions
from contacts.management.manners import HouseCommand
from contacts.progress import Progress
from workflows import retiming
from workflows.models import Enrolment


class Command(HouseCommand):
    help = (
        "After an update of the time zone data: derive the wake times of everybody who waits for a local time anew. "
        "A contact's own change of zone moves nothing. May run beside everything else, and again."
    )
    examples = (
        "retime --dry-run  # how many waits would move",
        "retime  # after an update of the package tzdata",
    )
    json_of = "the counts as one JSON object"
    dry_run = "say how many would move, and leave them"

    def handle(self, *args: Any, **options: Any) -> None:
        total = Enrolment.objects.filter(state="waiting").count()
        progress, looked_at, moved = Progress(self.stderr), 0, 0
        run = transactions.try_out if options["dry_run"] else transactions.run
        after: int | None = 0
        while after is not None:
            batch = run(partial(_batch, after))
            after, looked_at, moved = batch.after, looked_at + batch.looked_at, moved + batch.moved
            progress.show(looked_at, total, f"{moved:,} moved")
        progress.clear()
        would = "would be moved" if options["dry_run"] else "moved"
        self.tell(
            {"tzdata": IANA_VERSION, "looked_at": looked_at, "moved": moved, "dry_run": options["dry_run"]},
            f"time zone data {IANA_VERSION}: {looked_at:,} waits looked at, {moved:,} {would}",
            as_json=options["as_json"],
        )


def _batch(after: int, now: datetime) -> retiming.Retimed:
    return retiming.retime_batch(after=after, now=now)
